import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicoms import draw_balls, make_grid, write_seg, write_series
from judges import needs_judges, read_by_dcmqi
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import ExplicitVRBigEndian

from medunet.errors import GeometryError, LabelError, SeriesError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import find_series, measure_grid, read_segmentation

SHARED = Path(__file__).parents[3] / "shared" / "data"
# 11 × 9 pixels: frames begin within bytes.
GRID = make_grid("oblique", (11, 9, 7))
MASK = draw_balls(GRID, ("organ", "tumor"))


@pytest.fixture
def seg(tmp_path: Path) -> Path:
    write_series(tmp_path / "series", GRID)
    write_seg(tmp_path / "m.seg.dcm", MASK, tmp_path / "series")
    return tmp_path / "m.seg.dcm"


def edit(path: Path, change: Callable[[Dataset], None]) -> Path:
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


def pack(dataset: Dataset, frames: list[Dataset], pixels: np.ndarray) -> None:
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.NumberOfFrames = len(frames)
    data = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)


def test_frames_count_by_position(seg: Path) -> None:
    def shuffle(dataset: Dataset) -> None:
        pixels = dataset.pixel_array
        order = [n for n in np.random.default_rng(3).permutation(len(pixels)) if pixels[n].any()]
        pack(dataset, [dataset.PerFrameFunctionalGroupsSequence[n] for n in order], pixels[order])

    assert np.array_equal(read_segmentation(seg, GRID, MASK.table).voxels, MASK.voxels)
    assert np.array_equal(read_segmentation(edit(seg, shuffle), GRID, MASK.table).voxels, MASK.voxels)


def test_turned_planes_lie_where_they_say(seg: Path) -> None:
    """Rows of the frames run along J and columns against I."""

    def turn(dataset: Dataset) -> None:
        pixels = dataset.pixel_array[:, :, ::-1].transpose(0, 2, 1)
        shared = dataset.SharedFunctionalGroupsSequence[0]
        row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
        down, across = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            plane = frame.PlanePositionSequence[0]
            corner = np.array(plane.ImagePositionPatient, float) + row * across * (GRID.shape[0] - 1)
            plane.ImagePositionPatient = [f"{value:.8f}" for value in corner]
        shared.PlaneOrientationSequence[0].ImageOrientationPatient = [*(f"{v:.8f}" for v in (*column, *-row))]
        shared.PixelMeasuresSequence[0].PixelSpacing = [across, down]
        dataset.Rows, dataset.Columns = pixels.shape[1:]
        pack(dataset, list(dataset.PerFrameFunctionalGroupsSequence), np.ascontiguousarray(pixels))

    assert np.array_equal(read_segmentation(edit(seg, turn), GRID, MASK.table).voxels, MASK.voxels)


def test_segments_are_found_by_name_and_others_left_out(seg: Path) -> None:
    table = LabelTable.from_names(["lesion"])
    read = read_segmentation(seg, GRID, table, {"lesion": "tumor"})
    assert np.array_equal(read.voxels, MASK.voxels == 2)
    with pytest.raises(LabelError, match="it has no segment 'tumr'; did you mean 'tumor'"):
        read_segmentation(seg, GRID, table, {"lesion": "tumr"})


def test_overlapping_segments_are_refused(seg: Path) -> None:
    def overlap(dataset: Dataset) -> None:
        dataset.PixelData = b"\xff" * len(dataset.PixelData)

    with pytest.raises(LabelError, match="the segments tumor and organ overlap"):
        read_segmentation(edit(seg, overlap), GRID, MASK.table)


def shift(dataset: Dataset) -> None:
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        position[0] = round(float(position[0]) + 0.3, 6)


def no_position(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0].ImagePositionPatient


def no_spacing(dataset: Dataset) -> None:
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (shift, GeometryError, "frame 1: its pixels lie up to 0.3 mm away"),
        (no_position, SeriesError, "frame 3: ImagePositionPatient is missing"),
        (no_spacing, LabelError, "frame 1: it has no PixelMeasuresSequence"),
        (lambda dataset: setattr(dataset, "SegmentationType", "FRACTIONAL"), LabelError, "a FRACTIONAL segmentation"),
        (lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:100]), LabelError, "holds 100 bytes"),
        (lambda dataset: setattr(dataset, "NumberOfFrames", 3), LabelError, "declares 3 frames, describes 14"),
        (lambda dataset: setattr(dataset, "Modality", "CT"), LabelError, "it is CT, not SEG"),
        (lambda dataset: setattr(dataset.SegmentSequence[1], "SegmentLabel", "organ"), LabelError, "two of its segm"),
    ],
)
def test_what_is_wrong_is_named(
    seg: Path, change: Callable[[Dataset], None], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_segmentation(edit(seg, change), GRID, MASK.table)


def test_other_encodings_and_smaller_images_are_refused(seg: Path) -> None:
    smaller = Grid((*GRID.shape[:2], 2), GRID.affine)
    with pytest.raises(LabelError, match="marks voxels outside of the image"):
        read_segmentation(seg, smaller, MASK.table)
    dataset = dcmread(seg)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dcmwrite(seg, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    with pytest.raises(LabelError, match="Big Endian is not read"):
        read_segmentation(seg, GRID, MASK.table)


def test_an_empty_mask_is_read(tmp_path: Path) -> None:
    write_series(tmp_path / "series", GRID)
    empty = Mask("classes", np.zeros_like(MASK.voxels), GRID, MASK.table)
    write_seg(tmp_path / "m.dcm", empty, tmp_path / "series")
    assert not read_segmentation(tmp_path / "m.dcm", GRID, MASK.table).voxels.any()


@pytest.mark.data
@needs_judges
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real scans aren't beside the checkout")
def test_a_segmentation_of_other_software_is_read_as_dcmqi_does(tmp_path: Path) -> None:
    """Two segments, frames only where there is something, positions rounded to seven digits."""
    subprocess.run(["tar", "-xf", SHARED / "pet_seg.tar.xz", "-C", tmp_path], check=True)
    grid = measure_grid(find_series(tmp_path / "pet_seg" / "PET").series[0])
    (path,) = (tmp_path / "pet_seg" / "SEG").rglob("*.dcm")
    table = LabelTable.from_names(["Neoplasm, Primary", "Neoplasm, Secondary"])
    read = read_segmentation(path, grid, table)
    assert np.unique(read.voxels).tolist() == [0, 1, 2]
    assert np.array_equal(read.voxels, read_by_dcmqi(path, grid, tmp_path / "out"))
