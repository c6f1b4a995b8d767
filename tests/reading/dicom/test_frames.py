import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_phases, write_series
from enhanced import point_to, write_enhanced
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from medunet.errors import SeriesError
from medunet.reading import ReadOptions, find_series, read_volume
from medunet.reading.dicom.elements import read_dataset
from medunet.reading.dicom.frames import PER_FRAME, count_items, list_items

GRID = make_grid()
ORDER = [3, 0, 5, 1, 4, 2]


def write_one(
    folder: Path, edit: Callable[[Dataset, int], None] = lambda *_: None, shape: tuple[int, int, int] = GRID.shape
) -> tuple[np.ndarray, Path]:
    """The HU (I, J, K) and the folder of one multi-frame file."""
    grid = make_grid(shape=shape)
    voxels = write_series(folder / "single", grid)
    files = sorted((folder / "single").iterdir())
    files = [files[n] for n in ORDER] if shape == GRID.shape else files
    (folder / "multi").mkdir()
    write_enhanced(folder / "multi" / "a.dcm", files, edit)
    return voxels, folder / "multi"


def test_frames_lie_where_they_say_and_come_as_one_file(tmp_path: Path) -> None:
    voxels, folder = write_one(tmp_path)
    volume = read_volume(folder)
    single = read_volume(tmp_path / "single")
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels[0], voxels)
    assert np.array_equal(volume.grid.affine, single.grid.affine)
    (series,) = find_series(folder).series
    assert len(series.files) == 1
    assert [header.frame for header in series.headers] == [ORDER.index(k) for k in range(6)]


def test_groups_of_a_frame_go_before_the_shared_ones(tmp_path: Path) -> None:
    def rescale(frame: Dataset, number: int) -> None:
        values = Dataset()
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 0.5 + ORDER[number], -1024, "HU"
        frame.PixelValueTransformationSequence = [values]

    voxels, folder = write_one(tmp_path, rescale)
    expected = (voxels + 1024.0) * (0.5 + np.arange(6)) - 1024
    assert np.allclose(read_volume(folder).voxels[0], expected)


@pytest.mark.parametrize(
    ("syntax", "plugin"),
    [(RLELossless, "pydicom"), (JPEGLSLossless, "pyjpegls"), (JPEG2000Lossless, "pylibjpeg")],
)
def test_compressed_frames_are_exact(tmp_path: Path, syntax: str, plugin: str) -> None:
    voxels, folder = write_one(tmp_path, shape=(40, 36, 5))
    dataset = dcmread(folder / "a.dcm")
    dataset.compress(syntax, encoding_plugin=plugin)
    dataset.save_as(folder / "a.dcm")
    assert np.array_equal(read_volume(folder).voxels[0], voxels)


def split(folder: Path, tags: Callable[[Dataset, int], None]) -> list[np.ndarray]:
    """Two images of the same places in one file, first all frames of the one."""
    images = write_phases(folder / "single", [GRID, GRID], [lambda _: {}] * 2)
    files = [path for end in ("-0", "-1") for path in sorted((folder / "single").glob(f"*{end}.dcm"))]
    (folder / "multi").mkdir()
    write_enhanced(folder / "multi" / "a.dcm", files, tags)
    return images


def number_time(frame: Dataset, number: int) -> None:
    frame.FrameContentSequence[0].TemporalPositionIndex = 1 + number // 6


def name_stack(frame: Dataset, number: int) -> None:
    frame.FrameContentSequence[0].StackID = "ab"[number // 6]


def weigh(frame: Dataset, number: int) -> None:
    diffusion = Dataset()
    diffusion.DiffusionBValue = 800.0 * (number // 6)
    frame.MRDiffusionSequence = [diffusion]


def index(frame: Dataset, number: int) -> None:
    frame.FrameContentSequence[0].DimensionIndexValues = [1 + number // 6, 1 + number % 6]


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        (number_time, ("TemporalPositionIndex 1", "TemporalPositionIndex 2")),
        (name_stack, ("StackID a", "StackID b")),
        (weigh, ("DiffusionBValue 0", "DiffusionBValue 800")),
        (index, ("DimensionContrastBolusAgentNumber 1", "DimensionContrastBolusAgentNumber 2")),
    ],
)
def test_images_in_one_file_are_listed_and_one_is_chosen(
    tmp_path: Path, edit: Callable[[Dataset, int], None], names: tuple[str, str]
) -> None:
    images = split(tmp_path, edit)
    if edit is index:
        dataset = dcmread(tmp_path / "multi" / "a.dcm")
        dataset.DimensionIndexSequence = [point_to("ContrastBolusAgentNumber"), point_to("InStackPositionNumber")]
        dataset.save_as(tmp_path / "multi" / "a.dcm")
    with pytest.raises(SeriesError, match=rf"it holds 2 images.*'{names[0]}' \(6 slices\), '{names[1]}'"):
        read_volume(tmp_path / "multi")
    for name, voxels in zip(names, images, strict=True):
        assert np.array_equal(read_volume(tmp_path / "multi", ReadOptions(phase=name)).voxels[0], voxels)


def test_two_files_that_share_their_frames_are_one_volume(tmp_path: Path) -> None:
    voxels = write_series(tmp_path / "single", GRID)
    files = sorted((tmp_path / "single").iterdir())
    (tmp_path / "multi").mkdir()
    for number in (0, 1):
        write_enhanced(tmp_path / "multi" / f"{number}.dcm", files[number::2])
    assert np.array_equal(read_volume(tmp_path / "multi").voxels[0], voxels)


def forget_place(frame: Dataset, number: int) -> None:
    if number == 3:
        del frame.PlanePositionSequence


def repeat_place(frame: Dataset, number: int) -> None:
    if number == 3:
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 0]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (forget_place, "frame 4: ImagePositionPatient is missing"),
        (repeat_place, "frame [0-9]: .*away from any regular grid"),
    ],
)
def test_frames_without_a_right_place_are_refused(
    tmp_path: Path, edit: Callable[[Dataset, int], None], words: str
) -> None:
    _, folder = write_one(tmp_path, edit)
    with pytest.raises(SeriesError, match=words):
        read_volume(folder)


def test_missing_frames_and_pixels_are_told(tmp_path: Path) -> None:
    _, folder = write_one(tmp_path)
    change(folder, lambda dataset, _: setattr(dataset, "PixelData", dataset.PixelData[:-4]))
    with pytest.raises(SeriesError, match=r"Pixel Data holds 1436 bytes \(expected 1440\)"):
        read_volume(folder)
    change(folder, lambda dataset, _: setattr(dataset, "NumberOfFrames", 7))
    with pytest.raises(SeriesError, match="it has 7 frames, but describes 6"):
        read_volume(folder)


def test_frames_are_read_one_by_one(tmp_path: Path) -> None:
    voxels, folder = write_one(tmp_path, shape=(512, 512, 12))
    read_volume(folder)  # imports are over before counting
    tracemalloc.start()
    try:
        found = read_volume(folder).voxels
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(found[0], voxels)
    # The array, and a few frames on their way into it.
    assert peak < found.nbytes * 1.6


def test_items_come_one_at_a_time_where_nobody_has_asked_for_all(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid())
    path = tmp_path / "m.dcm"
    write_enhanced(path, sorted((tmp_path / "series").iterdir()))
    dataset, whole = read_dataset(path), dcmread(path)
    assert count_items(dataset, PER_FRAME) == 6
    assert list(list_items(dataset, PER_FRAME)) == list(whole.PerFrameFunctionalGroupsSequence)
    assert isinstance(dataset.get_item(PER_FRAME), RawDataElement), "the sequence stays as it is"
    assert list(list_items(whole, PER_FRAME)) == list(whole.PerFrameFunctionalGroupsSequence)
    assert count_items(dataset, "ReferencedSeriesSequence") == 0
    for item in whole.PerFrameFunctionalGroupsSequence:
        item.is_undefined_length_sequence_item = True
    whole["PerFrameFunctionalGroupsSequence"].is_undefined_length = True
    whole.save_as(path)
    assert list(list_items(read_dataset(path), PER_FRAME)) == list(whole.PerFrameFunctionalGroupsSequence)
