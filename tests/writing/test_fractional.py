import tracemalloc
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import pytest
from dicoms import ORIENTATIONS, change, draw_balls, make_grid, refuse_another_reading, write_series
from judges import find_errors, needs_judges
from pydicom import Dataset, dcmread

from medunet.errors import SeriesError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask, Region
from medunet.reading import find_image, read_mask, read_volume
from medunet.testing.faults import FAULTS
from medunet.writing import Algorithm, Probabilities, Result, fractional, probabilities
from medunet.writing.formats import FORMATS

ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)
TABLE = LabelTable.from_names(["liver", "GTV_1"])


def make_result(series: Path, *, exclusive: bool = True) -> Result:
    """Random probabilities of two labels, of classes with the background."""
    grid, image = read_volume(series).grid, find_image(series)
    maps = np.random.default_rng(0).integers(0, 128, (2, *grid.shape), dtype=np.uint8)
    names = TABLE.names
    if exclusive:
        maps, names = np.concatenate([255 - maps.sum(axis=0, dtype=np.uint8)[None], maps]), ("background", *names)
    mask = Mask("classes", draw_balls(grid, TABLE.names).voxels, grid, TABLE)
    return Result(mask, image, ALGORITHM, {"ct": image}, Probabilities(maps, names, exclusive))


def write(result: Result, path: Path) -> Dataset:
    row = FORMATS["seg-fractional"]
    row.check(result.origin, TABLE, ALGORITHM)
    row.write(result, path)
    return dcmread(path)


def read_by_highdicom(path: Path, grid: Grid, number: int) -> np.ndarray:
    """Probabilities (I, J, K) of a segment at the places of a grid."""
    seg = highdicom.seg.segread(path)
    volume = seg.get_volume(segment_numbers=[number], combine_segments=False, rescale_fractional=True)
    index = np.argwhere(np.ones(volume.spatial_shape, bool))
    lps = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    found = np.full(grid.shape, np.nan)
    found[tuple(np.rint(grid.to_voxel(lps * (-1, -1, 1))).astype(int).T)] = volume.array[..., 0].ravel()
    return found


@pytest.mark.parametrize("exclusive", [True, False], ids=["classes", "regions"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_highdicom_reads_the_probabilities(tmp_path: Path, orientation: str, exclusive: bool) -> None:
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    result = make_result(tmp_path / "series", exclusive=exclusive)
    write(result, tmp_path / "m.dcm")
    assert result.probabilities is not None
    for number, one in enumerate(result.probabilities.maps[-2:], 1):
        read = read_by_highdicom(tmp_path / "m.dcm", result.mask.grid, number)
        assert np.abs(read - one / 255).max() < 1e-6


@needs_judges
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_dciodvfy_finds_no_error(tmp_path: Path, orientation: str) -> None:
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    write(make_result(tmp_path / "series"), tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") == set()


def test_it_says_that_it_holds_probabilities_and_of_what(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid())
    written = write(make_result(tmp_path / "series"), tmp_path / "m.dcm")
    assert (written.SegmentationType, written.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    assert (written.MaximumFractionalValue, written.BitsAllocated) == (255, 8)
    assert [item.SegmentLabel for item in written.SegmentSequence] == ["liver", "GTV_1"], "the background is none"
    assert written.SegmentSequence[1].SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Neoplasm"
    assert written.SeriesDescription == "ball finder: liver, GTV_1"
    assert written.NumberOfFrames == 2 * 6


def test_as_a_label_it_is_what_is_at_least_one_half(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Which is not the mask where several classes share a voxel, and is said."""
    write_series(tmp_path / "series", make_grid())
    result = make_result(tmp_path / "series")
    assert result.probabilities is not None
    maps = result.probabilities.maps
    maps[2] = np.where(maps[2] > 100, 128, maps[2])
    write(result, tmp_path / "m.dcm")
    read = read_mask(tmp_path / "m.dcm", result.mask.grid, TABLE)
    assert np.array_equal(read.voxels == 2, maps[2] == 128)
    assert "it holds fractions; voxels of at least one half belong to a segment" in caplog.text
    assert FORMATS["seg-fractional"].read is None


def test_a_few_planes_are_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of 40 MB that lie in a file, of which a piece takes 1 MB."""
    monkeypatch.setattr(probabilities, "PIECE", 2**20)
    grid = Grid((256, 256, 20), make_grid("axial").affine)
    write_series(tmp_path / "series", grid, np.zeros(grid.shape, np.int16))
    image = find_image(tmp_path / "series")
    names = [f"part {n}" for n in range(30)]
    table = LabelTable.from_names(names)
    maps = np.memmap(tmp_path / "maps", np.uint8, "w+", shape=(30, *grid.shape))
    maps[:, 100:120] = 7
    mask = Mask("classes", np.zeros(grid.shape, np.uint8), grid, table)
    result = Result(mask, image, ALGORITHM, {}, Probabilities(maps, table.names, False))
    tracemalloc.start()
    FORMATS["seg-fractional"].write(result, tmp_path / "m.dcm")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "m.dcm").stat().st_size > maps.size > 2 * peak


def test_segments_are_labels_regions_and_what_has_no_label() -> None:
    regions = (Region(name="whole", values=(1, 2), value=2),)
    table = LabelTable(labels=TABLE.labels, regions=regions)
    whole, tumor, border = fractional.list_segments(["whole", "GTV_1", "border"], table)
    assert [item.value for item in (whole, tumor, border)] == [1, 2, 3]
    assert (whole.colour, whole.code) == (TABLE.labels[1].colour, None)
    assert tumor == TABLE.labels[1]
    assert border.name == "border"


@needs_judges
@pytest.mark.parametrize("turned", [False, True])
def test_frames_of_an_enhanced_image_are_referred_to(tmp_path: Path, turned: bool) -> None:
    next(fault for fault in FAULTS if fault.code == "76").make("oblique").write(tmp_path / "series")
    (source,) = (tmp_path / "series").iterdir()
    if turned:
        dataset = dcmread(source)
        dataset.PixelData = dataset.pixel_array[::-1].tobytes()
        dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[::-1]
        dataset.save_as(source)
    result = make_result(tmp_path / "series")
    write(result, tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") - find_errors(source) == set()
    assert result.probabilities is not None
    read = read_by_highdicom(tmp_path / "m.dcm", result.mask.grid, 2)
    assert np.abs(read - result.probabilities.maps[2] / 255).max() < 1e-6


def test_what_can_not_be_written_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid, check = make_grid("axial"), FORMATS["seg-fractional"].check
    nib.save(nib.Nifti1Image(np.zeros(grid.shape, np.float32), grid.affine), tmp_path / "a.nii.gz")
    with pytest.raises(SeriesError, match="it is a file, and a DICOM SEG refers to a DICOM series"):
        check(find_image(tmp_path / "a.nii.gz"), TABLE, ALGORITHM)
    write_series(tmp_path / "series", grid)
    monkeypatch.setattr(fractional, "LARGEST", 1000)
    with pytest.raises(SeriesError, match=r"its probabilities would take 0\.0 GiB.*choose probabilities in place"):
        check(find_image(tmp_path / "series"), TABLE, ALGORITHM)


def test_a_mask_whose_probabilities_nobody_kept_is_a_fault(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid())
    result = make_result(tmp_path / "series")
    row = FORMATS["seg-fractional"]
    assert row.likely
    with pytest.raises(ValueError, match="nobody kept"):
        row.write(Result(result.mask, result.origin, ALGORITHM), tmp_path / "m.dcm")


def test_what_reads_back_otherwise_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "series", make_grid())
    result = make_result(tmp_path / "series")
    frames = fractional.iter_pixels
    monkeypatch.setattr(fractional, "iter_pixels", lambda path: (frame ^ 1 for frame in frames(path)))
    refuse_another_reading("seg-fractional", result, tmp_path / "m.dcm")


def test_a_series_without_a_frame_of_reference_is_refused_by_its_name(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: delattr(dataset, "FrameOfReferenceUID"))
    with pytest.raises(SeriesError, match="choose another format than seg-fractional"):
        FORMATS["seg-fractional"].check(find_image(tmp_path), TABLE, ALGORITHM)
