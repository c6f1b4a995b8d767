import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicoms import draw_balls, make_grid, write_seg, write_series
from judges import needs_judges, read_by_dcmqi
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from medunet.errors import GeometryError, LabelError, SeriesError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import (
    LabelOptions,
    Place,
    find_series,
    measure_grid,
    measure_segments,
    read_label_file,
    read_mask,
    read_segmentation,
    read_volume,
)

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


def take_bytes(dataset: Dataset, frames: list[Dataset], pixels: np.ndarray) -> None:
    dataset.PerFrameFunctionalGroupsSequence, dataset.NumberOfFrames = frames, len(frames)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    data = pixels.astype(np.uint8).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)


@pytest.mark.parametrize("compressed", [False, True])
def test_fractions_count_from_one_half_on(seg: Path, compressed: bool, caplog: pytest.LogCaptureFixture) -> None:
    def weigh(dataset: Dataset) -> None:
        inside = dataset.pixel_array > 0
        random = np.random.default_rng(4)
        shares = np.where(inside, random.integers(100, 201, inside.shape), random.integers(0, 100, inside.shape))
        take_bytes(dataset, list(dataset.PerFrameFunctionalGroupsSequence), shares)
        dataset.SegmentationType, dataset.MaximumFractionalValue = "FRACTIONAL", 200
        if compressed:
            dataset.compress(RLELossless, encoding_plugin="pydicom")

    mask = read_segmentation(edit(seg, weigh), GRID, MASK.table)
    assert np.array_equal(mask.voxels, MASK.voxels)
    assert "it holds fractions" in mask.notes[0]
    assert "it holds fractions" in caplog.text
    with pytest.raises(LabelError, match="no Maximum Fractional Value"):
        read_segmentation(edit(seg, lambda dataset: dataset.pop("MaximumFractionalValue")), GRID, MASK.table)


def test_a_label_map_holds_all_segments_in_a_frame(seg: Path) -> None:
    def join(dataset: Dataset) -> None:
        frames, planes = [], []
        for frame in list(dataset.PerFrameFunctionalGroupsSequence)[6::-1]:
            position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float) * (-1, -1, 1)
            k = int(np.rint(GRID.to_voxel([position])[0, 2]))
            del frame.SegmentIdentificationSequence
            frames.append(frame)
            planes.append(MASK.voxels[:, :, k].T)
        background = Dataset()
        background.SegmentNumber, background.SegmentLabel = 0, "Background"
        dataset.SegmentSequence.append(background)
        dataset.SegmentationType = "LABELMAP"
        take_bytes(dataset, frames, np.array(planes))

    assert np.array_equal(read_segmentation(edit(seg, join), GRID, MASK.table).voxels, MASK.voxels)

    def add(dataset: Dataset) -> None:
        dataset.PixelData = b"\x05" + dataset.PixelData[1:]

    with pytest.raises(LabelError, match="it shows the segment 5"):
        read_segmentation(edit(seg, add), GRID, MASK.table)


def test_another_frame_of_reference_is_refused(seg: Path) -> None:
    own = str(dcmread(seg).FrameOfReferenceUID)
    assert read_segmentation(seg, GRID, MASK.table, place=Place(own)).voxels.any()
    with pytest.raises(LabelError, match="its frame of reference is not that of its image"):
        read_segmentation(seg, GRID, MASK.table, place=Place("1.2.3"))


@pytest.mark.data
def test_segments_of_other_software_lie_on_their_pet(pet_seg: Path) -> None:
    """Every set pixel is the voxel at its position, found by the frame's own numbers alone."""
    volume = read_volume(pet_seg / "PET")
    (path,) = (pet_seg / "SEG").rglob("*.dcm")
    names = read_label_file(path).names
    assert len(names) == 2
    mask = read_mask(
        path, volume.grid, LabelTable.from_names(list(names)), None, Place(volume.source.frame_of_reference_uid)
    )
    dataset = dcmread(path)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    down, across = (float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing)
    marked = np.zeros(volume.grid.shape, np.uint16)
    for frame, plane in zip(dataset.PerFrameFunctionalGroupsSequence, dataset.pixel_array, strict=True):
        origin = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        j, i = np.nonzero(plane)
        world = (origin + i[:, None] * across * row + j[:, None] * down * column) * (-1, -1, 1)
        index = volume.grid.to_voxel(world)
        assert np.abs(index - np.rint(index)).max(initial=0) < 1e-3
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        marked[tuple(np.rint(index).astype(int).T)] = number
    assert np.array_equal(mask.voxels, marked)
    assert all((mask.voxels == value).any() for value in (1, 2))


def test_segments_are_found_by_name_and_others_left_out(seg: Path) -> None:
    table = LabelTable.from_names(["lesion"])
    read = read_segmentation(seg, GRID, table, {"lesion": "tumor"})
    assert np.array_equal(read.voxels, MASK.voxels == 2)
    with pytest.raises(LabelError, match="it has no segment 'tumr'; did you mean 'tumor'"):
        read_segmentation(seg, GRID, table, {"lesion": "tumr"})


def test_overlapping_segments_are_refused(seg: Path) -> None:
    def overlap(dataset: Dataset) -> None:
        dataset.PixelData = b"\xff" * len(dataset.PixelData)

    with pytest.raises(LabelError, match=r"the segments organ and tumor \(in 693 voxels\) overlap"):
        read_segmentation(edit(seg, overlap), GRID, MASK.table)
    first = read_segmentation(seg, GRID, MASK.table, options=LabelOptions(precedence=("tumor",)))
    assert (first.voxels == 2).all()


def test_a_frame_of_reference_of_its_own_is_read_where_the_slices_are_named(
    seg: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (series,) = find_series(seg.parent / "series").series
    with caplog.at_level("INFO"):
        mask = read_segmentation(
            edit(seg, lambda dataset: setattr(dataset, "FrameOfReferenceUID", "1.2.9")),
            GRID,
            MASK.table,
            None,
            series.place,
        )
    assert np.array_equal(mask.voxels, MASK.voxels)
    assert "its frame of reference is not that of its image, whose slices it names" in caplog.text
    for change in ({"study_uid": "1.2.8"}, {"series_uid": "1.2.8"}, {"slices": {"1.2.8": np.zeros(3)}}):
        with pytest.raises(LabelError, match="its frame of reference is not that of its image"):
            read_segmentation(seg, GRID, MASK.table, None, replace(series.place, **change))


def shift(dataset: Dataset) -> None:
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        position[0] = round(float(position[0]) + 0.3, 6)


def no_position(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0].ImagePositionPatient


def no_spacing(dataset: Dataset) -> None:
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence


def no_segment(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[2].SegmentIdentificationSequence


def other_segment(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence[2].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 7


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (shift, GeometryError, "frame 1: its pixels lie up to 0.3 mm away"),
        (no_position, SeriesError, "frame 3: ImagePositionPatient is missing"),
        (no_spacing, SeriesError, "frame 1: PixelSpacing is missing"),
        (no_segment, LabelError, "frame 3: it names no segment"),
        (other_segment, LabelError, "frame 3: it shows the segment 7, which isn't described"),
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
    with pytest.raises(GeometryError, match="marks voxels outside of the image"):
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
@pytest.mark.data
def test_a_segmentation_of_other_software_is_read_as_dcmqi_does(pet_seg: Path, tmp_path: Path) -> None:
    """Two segments, frames only where there is something, positions rounded to seven digits."""
    grid = measure_grid(find_series(pet_seg / "PET").series[0])
    (path,) = (pet_seg / "SEG").rglob("*.dcm")
    table = LabelTable.from_names(["Neoplasm, Primary", "Neoplasm, Secondary"])
    read = read_segmentation(path, grid, table)
    assert np.unique(read.voxels).tolist() == [0, 1, 2]
    assert np.array_equal(read.voxels, read_by_dcmqi(path, grid, tmp_path / "out"))


def test_volumes_of_segments_are_those_of_their_voxels(tmp_path: Path) -> None:
    grid = make_grid("oblique")
    write_series(tmp_path / "ct", grid)
    mask = draw_balls(grid, ("one", "other"))
    write_seg(tmp_path / "seg.dcm", mask, tmp_path / "ct")
    found = measure_segments(tmp_path / "seg.dcm")
    for label in mask.table.labels:
        assert found[label.name] == pytest.approx((mask.voxels == label.value).sum() * mask.voxel_volume, rel=1e-3)


def test_of_many_frames_one_is_in_memory_at_a_time(tmp_path: Path) -> None:
    """Of 120 segments on 30 slices: 30 MB of pixels, and 3600 items, each of which pydicom makes 20 KB of."""
    grid = make_grid("axial", (256, 272, 30))
    write_series(tmp_path / "series", grid, np.zeros(grid.shape, np.int16))
    table = LabelTable.from_names([f"part {n}" for n in range(120)])
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[:240, ::3] = np.repeat(np.arange(1, 121), 2)[:, None, None]
    mask = Mask("classes", voxels, grid, table)
    write_seg(tmp_path / "m.dcm", mask, tmp_path / "series")
    assert (tmp_path / "m.dcm").stat().st_size > 30e6
    tracemalloc.start()
    read = read_segmentation(tmp_path / "m.dcm", grid, table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(read.voxels, voxels)
    assert peak < 5 * mask.voxels.nbytes
