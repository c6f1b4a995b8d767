from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from medunet.testing.faults import ORIENTATIONS, Scan, make_scan
from medunet.testing.faults.scans import SHAPE, SPACING, draw_values, rename, take_slice, write_numbers
from medunet.testing.faults.verdicts import ALIKE


def list_corners(dataset: object) -> np.ndarray:
    """Centres of the corner pixels, RAS mm, by the formula of DICOM PS3.3 C.7.6.2.1.1."""
    position = np.array(dataset.ImagePositionPatient, float)
    along, down = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, dataset.PixelSpacing)
    places = [
        position + along * between_columns * column + down * between_rows * row
        for row in (0, dataset.Rows - 1)
        for column in (0, dataset.Columns - 1)
    ]
    return np.array(places) * (-1, -1, 1)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_clean_scan_tells_the_truth(orientation: str, tmp_path: Path) -> None:
    scan = make_scan(orientation)
    scan.write(tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(scan.slices) == SHAPE[2]
    for item, path in zip(scan.slices, files, strict=True):
        dataset = dcmread(path)
        assert np.abs(item.corners() - list_corners(dataset)).max() < 1e-9
        assert np.array_equal(dataset.pixel_array.astype(int) - 1024, item.values)
        assert item.values.shape == (SHAPE[1], SHAPE[0])
    steps = np.diff([item.position for item in scan.slices], axis=0)
    assert np.allclose(steps, scan.slices[0].normal * SPACING[2], atol=1e-6)
    assert scan.slices[0].normal @ ORIENTATIONS[orientation][:, 2] == pytest.approx(1)


def test_no_slice_resembles_another_or_itself_turned() -> None:
    """The judge takes planes for slices by their correlation."""
    planes = [item.values for item in make_scan().slices]
    turns = (np.array, np.flipud, np.fliplr, lambda plane: plane[::-1, ::-1])
    for number, plane in enumerate(planes):
        for other, shown in enumerate(planes):
            for turn in turns[other == number :]:
                assert abs(np.corrcoef(plane.ravel(), turn(shown).ravel())[0, 1]) < 0.7 < ALIKE
    assert (np.stack(planes) < 0).mean() == pytest.approx(0.5, abs=0.1)


def test_scans_are_alike_and_apart_from_each_other() -> None:
    first, second, other = make_scan(), make_scan(), make_scan(seed=1)
    assert first.slices[0].dataset == second.slices[0].dataset
    first.slices[0].dataset.PatientID = "changed"
    first.slices[0].values[0, 0] = 99999
    assert second.slices[0].dataset.PatientID != "changed"
    assert make_scan().slices[0].values[0, 0] != 99999
    assert not np.array_equal(second.slices[0].values, other.slices[0].values)
    assert np.array_equal(draw_values(4), draw_values(4))


def test_header_and_truth_move_and_turn_together() -> None:
    item = make_scan("oblique").slices[3]
    before = item.corners()
    item.move((1.5, -2.0, 0.25))
    assert np.allclose(item.corners() - before, (-1.5, 2.0, 0.25), atol=1e-6)
    assert np.abs(item.corners() - list_corners(item.dataset)).max() < 1e-9
    item.turn(item.directions[::-1])
    assert np.abs(item.corners() - list_corners(item.dataset)).max() < 1e-9


def test_stored_numbers_are_replaced_and_the_truth_stays() -> None:
    item = make_scan().slices[0]
    values = item.values.copy()
    assert np.array_equal(item.stored() - 1024, values)
    numbers = np.arange(values.size).reshape(values.shape) - 500
    item.store(numbers, bits=12, signed=True)
    assert np.array_equal(item.stored(), numbers)
    assert (item.dataset.BitsStored, item.dataset.HighBit, item.dataset.PixelRepresentation) == (12, 11, 1)
    assert np.array_equal(item.values, values)
    item.store(numbers + 500, bits=12)
    assert np.array_equal(item.stored(), numbers + 500)


def test_an_added_slice_has_a_file_and_a_uid_of_its_own(tmp_path: Path) -> None:
    scan = make_scan()
    fresh = scan.add(scan.slices[2], "copy")
    fresh.values[:] = 0
    scan.late.append(lambda folder: (folder / "note").write_text(f"{len(list(folder.iterdir()))} files"))
    scan.write(tmp_path / "new" / "folder")
    added = dcmread(tmp_path / "new" / "folder" / "copy.dcm")
    assert added.SOPInstanceUID == added.file_meta.MediaStorageSOPInstanceUID
    assert added.SOPInstanceUID not in {item.dataset.SOPInstanceUID for item in scan.slices[:9]}
    assert scan.slices[2].values.any()
    assert (tmp_path / "new" / "folder" / "note").read_text() == "10 files"


def test_slices_that_another_object_holds_are_not_written(tmp_path: Path) -> None:
    scan = Scan(make_scan().slices[:3])
    scan.slices[1].dataset = None
    scan.write(tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["0001.dcm", "0003.dcm"]


def test_numbers_keep_within_a_decimal_string() -> None:
    texts = write_numbers([1 / 3, -123456.789012345678, 1e-17])
    assert all(len(text) <= 16 for text in texts)
    assert [float(text) for text in texts] == pytest.approx([1 / 3, -123456.789012345678, 1e-17])


def test_a_slice_is_taken_of_any_sound_header(tmp_path: Path) -> None:
    scan = make_scan("sagittal")
    scan.write(tmp_path)
    dataset = dcmread(tmp_path / "0004.dcm")
    rename(dataset, "1.2.3")
    assert dataset.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    taken = take_slice(dataset, dataset.pixel_array, "x.dcm")
    assert np.abs(taken.corners() - scan.slices[3].corners()).max() < 1e-9
    assert taken.values.dtype == np.float64
