from pathlib import Path

import pytest
from dicoms import change, make_grid, write_series
from plans import make_test_plan

from medunet.errors import InputError, MissingInputError, SeriesError
from medunet.inference import find_scan, find_scans, name_scan

BOTH = make_test_plan(channels=("ct", "pet"))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_series(tmp_path / "p" / "a", make_grid())
    write_series(tmp_path / "p" / "b", make_grid("axial"))
    change(tmp_path / "p" / "b", lambda dataset, _: setattr(dataset, "Modality", "PT"))
    return tmp_path / "p"


def test_series_of_a_patient_are_matched_by_modality(study: Path) -> None:
    scan = find_scan(study, BOTH)
    assert (scan.id, Path(scan.paths["ct"]).name, Path(scan.paths["pet"]).name) == ("p", "a", "b")
    assert list(find_scan(study, make_test_plan()).paths) == ["image"]


def test_what_does_not_match_is_listed(study: Path) -> None:
    with pytest.raises(SeriesError, match="no series is MR"):
        find_scan(study, make_test_plan(channels=("mr",)))
    write_series(study / "c", make_grid("sagittal"))
    with pytest.raises(SeriesError, match="2 series are CT"):
        find_scan(study, BOTH)


def test_files_and_names(tmp_path: Path, study: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    path.write_text("")
    assert find_scan(path, make_test_plan()).id == "scan"
    with pytest.raises(InputError, match="but the bundle takes ct and pet"):
        find_scan(path, BOTH)
    assert name_scan({"ct": study / "a", "pet": study / "b"}, BOTH).paths["pet"] == str(study / "b")
    with pytest.raises(InputError, match="no such channel; did you mean 'pet'"):
        name_scan({"ct": path, "pett": path}, BOTH)
    with pytest.raises(InputError, match="--image pet: this channel"):
        name_scan({"ct": path}, BOTH)
    with pytest.raises(MissingInputError):
        name_scan({"ct": tmp_path / "x", "pet": path}, BOTH)
    with pytest.raises(MissingInputError, match="holds no DICOM image"):
        (tmp_path / "empty").mkdir()
        find_scan(tmp_path / "empty", BOTH)


def test_every_picture_of_a_folder_is_a_scan(tmp_path: Path, study: Path) -> None:
    plan = make_test_plan(dims=2).model_copy(update={"unit": "px"})
    (tmp_path / "in").mkdir()
    with pytest.raises(MissingInputError, match="it holds no PNG"):
        find_scans(tmp_path / "in", plan)
    for name in ("b.png", "a.PNG", "notes.txt"):
        (tmp_path / "in" / name).touch()
    assert [scan.id for scan in find_scans(tmp_path / "in", plan)] == ["a", "b"]
    assert [scan.id for scan in find_scans(study, BOTH)] == ["p"]
