from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_mask, write_phases, write_series
from pydicom import Dataset

from medunet.errors import MedunetError
from medunet.findings import Finding
from medunet.reading import ReadOptions, check_folder, check_image, find_series, read_volume
from medunet.testing.faults import FAULTS


def drop(*names: str):  # noqa: ANN201
    def edit(dataset: Dataset, _: int) -> None:
        for name in names:
            del dataset[name]

    return edit


def list_codes(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(item.code, Path(item.subject).name) for item in findings]


def test_a_sound_image_is_read_and_has_no_finding(tmp_path: Path) -> None:
    voxels = write_series(tmp_path / "CT", make_grid())
    volume, found = check_image(tmp_path / "CT")
    assert found == []
    assert volume is not None
    np.testing.assert_array_equal(volume.voxels[0], voxels)


def test_every_file_of_a_series_is_told_that_lacks_its_place_or_its_pixels(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, drop("PixelSpacing"), only=[0, 2])
    change(tmp_path, drop("PixelData"), only=[1, 4])
    volume, found = check_image(tmp_path)
    assert volume is None
    files = sorted(path.name for path in tmp_path.iterdir())
    assert set(list_codes(found)) == {
        *(("place-missing", files[n]) for n in (0, 2)),
        *(("file-damaged", files[n]) for n in (1, 4)),
    }
    with pytest.raises(MedunetError) as refused:
        read_volume(tmp_path)
    assert refused.value.found in {item.found for item in found}


def test_missing_slices_do_not_hide_a_missing_rescale(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, drop("RescaleSlope", "RescaleIntercept"))
    sorted(tmp_path.iterdir())[2].unlink()
    found = check_image(tmp_path)[1]
    assert [item.code for item in found] == ["slices-missing"] + ["rescale-missing"] * 5
    assert {item.option for item in found} == {"", "--assume-rescale"}


def test_a_rescale_on_some_slices_can_not_be_given(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, drop("RescaleSlope", "RescaleIntercept"), only=[1, 3])
    found = check_image(tmp_path)[1]
    assert len(found) == 2
    assert all(item.code == "rescale-missing" and "has them" in item.found and not item.option for item in found)


def test_each_phase_is_checked(tmp_path: Path) -> None:
    grid = make_grid()
    write_phases(tmp_path, [grid, grid], [lambda _: {"EchoTime": 4.6}, lambda _: {"EchoTime": 9.2}])
    change(tmp_path, drop("RescaleSlope", "RescaleIntercept"), only=[3])
    found = check_image(tmp_path)[1]
    assert list_codes(found)[1:] == [("rescale-missing", sorted(tmp_path.iterdir())[3].name)]
    assert (found[0].code, found[0].option) == ("several-phases", "--phase")


def test_a_folder_is_checked_series_by_series(tmp_path: Path) -> None:
    voxels = write_series(tmp_path / "good", make_grid())
    write_series(tmp_path / "odd", make_grid("sagittal"))
    change(tmp_path / "odd", lambda dataset, _: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    write_series(tmp_path / "bad", make_grid("axial"))
    sorted((tmp_path / "bad").iterdir())[2].unlink()
    write_mask(tmp_path / "contours.dcm", voxels > 0, make_grid(), voxels)
    (tmp_path / "scan.nii").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("read me")
    found = check_folder(find_series(tmp_path), tmp_path)
    assert {(item.code, item.severity) for item in found} == {
        ("several-series", "note"),
        ("monochrome1", "note"),
        ("slices-missing", "error"),
        ("file-damaged", "error"),
        ("set-aside", "note"),
    }


def test_a_choice_that_was_made_is_kept(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    write_series(tmp_path / "b", make_grid("axial"))
    uid = find_series(tmp_path / "a").series[0].uid
    assert check_image(tmp_path, ReadOptions(series=uid))[1] == []
    assert [item.code for item in check_image(tmp_path)[1]] == ["several-series"]


def test_a_folder_without_any_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("read me")
    found = check_folder(find_series(tmp_path), tmp_path)
    assert [(item.code, item.severity) for item in found] == [("path-missing", "error"), ("set-aside", "note")]


def test_a_slice_of_another_patient_does_not_hide_the_rest(tmp_path: Path) -> None:
    write_series(tmp_path / "mixed", make_grid())
    change(tmp_path / "mixed", lambda dataset, _: setattr(dataset, "PatientID", "other"), only=[2])
    change(tmp_path / "mixed", drop("PixelSpacing"), only=[4])
    write_series(tmp_path / "good", make_grid("axial"))
    found = check_folder(find_series(tmp_path), tmp_path)
    assert [item.code for item in found] == ["several-series", "place-missing", "patients-mixed"]
    with pytest.raises(MedunetError, match="PatientID differs"):
        change(tmp_path / "mixed", lambda dataset, _: setattr(dataset, "PixelSpacing", [1, 1]), only=[4])
        read_volume(tmp_path / "mixed")


def repeat_slice(folder: Path) -> None:
    (folder / "again.dcm").write_bytes(sorted(folder.iterdir())[2].read_bytes())


def replace_slice(folder: Path) -> None:
    repeat_slice(folder)

    def blank(dataset: Dataset, _: int) -> None:
        dataset.PixelData, dataset.SOPInstanceUID = bytes(len(dataset.PixelData)), "1.2.3"

    change(folder, blank, only=[2])


def mix_patients(folder: Path) -> None:
    change(folder, lambda dataset, _: setattr(dataset, "PatientID", "other"), only=[2])


def miss_rescale(folder: Path) -> None:
    change(folder, drop("RescaleSlope", "RescaleIntercept"), only=[1])


def add_series(folder: Path) -> None:
    write_series(folder / "b", make_grid("axial"))


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (repeat_slice, {("slice-copied", "note")}),
        (replace_slice, {("slices-mixed", "error")}),
        (mix_patients, {("patients-mixed", "error")}),
        (miss_rescale, {("rescale-missing", "error")}),
        (add_series, {("several-series", "error")}),
    ],
)
@pytest.mark.parametrize(
    "words", ["unpacked", "is damaged", "it holds 3 series", "slices are missing", "its PatientID differs", "a: b"]
)
def test_no_folder_description_or_patient_changes_a_code(
    tmp_path: Path, spoil: Callable[[Path], None], wanted: set[tuple[str, str]], words: str
) -> None:
    folder = tmp_path / words / "CT"
    write_series(folder, make_grid())

    def name(dataset: Dataset, _: int) -> None:
        dataset.PatientID = dataset.SeriesDescription = dataset.StudyDescription = words

    change(folder, name)
    spoil(folder)
    assert {(item.code, item.severity) for item in check_image(folder)[1]} == wanted


@pytest.mark.slow
def test_every_fault_is_an_error_exactly_where_reading_refuses_it(tmp_path: Path) -> None:
    for number, fault in enumerate(FAULTS):
        folder = tmp_path / str(number)
        fault.make(fault.orientations[0]).write(folder)
        volume, found = check_image(folder)
        errors = [item for item in found if item.severity == "error"]
        assert (volume is None) == bool(errors), fault.name
