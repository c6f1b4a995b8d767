from pathlib import Path

import pytest
from dicoms import change, make_grid, write_series
from plans import make_test_plan

from medunet.errors import InputError, MissingInputError, SeriesError
from medunet.inference import find_scan, name_scan
from medunet.inference.scans import list_pictures
from medunet.reading import ReadOptions, find_series

BOTH = make_test_plan(channels=("ct", "pet")).task


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_series(tmp_path / "p" / "a", make_grid())
    write_series(tmp_path / "p" / "b", make_grid("axial"))
    change(tmp_path / "p" / "b", lambda dataset, _: setattr(dataset, "Modality", "PT"))
    return tmp_path / "p"


def test_series_of_a_patient_are_matched_by_modality(study: Path) -> None:
    scan = find_scan(study, BOTH)
    assert (scan.id, Path(scan.images["ct"].path).name, Path(scan.images["pet"].path).name) == ("p", "a", "b")
    assert list(find_scan(study, make_test_plan().task).images) == ["image"]


def test_a_scan_holds_its_series_with_their_headers(study: Path, tmp_path: Path) -> None:
    named = name_scan({"ct": study / "a", "pet": study / "b"}, BOTH)
    for scan in (find_scan(study, BOTH), named):
        assert scan.reference is scan.images["ct"]
        for image in scan.images.values():
            assert image.series is not None
            assert image.series.folder == image.path
            assert all(header.file is not None and header.file.kept for header in image.series.headers)
    (tmp_path / "a.nii").touch()
    assert find_scan(tmp_path / "a.nii", make_test_plan().task).reference.series is None


def test_what_does_not_match_is_listed(study: Path) -> None:
    with pytest.raises(SeriesError, match="it has no MR series, which channel mr needs; give that scan; there are:"):
        find_scan(study, make_test_plan(channels=("mr",)).task)
    write_series(study / "c", make_grid("sagittal"))
    with pytest.raises(SeriesError, match=r"2 series are CT.*name one with --series ct=UID"):
        find_scan(study, BOTH)


def test_series_of_several_patients_make_no_scan(study: Path) -> None:
    change(study / "b", lambda dataset, _: setattr(dataset, "PatientID", "PH-U"))
    with pytest.raises(
        SeriesError, match=r"its series of ct and pet are of different patients; give the folder of one patient"
    ):
        find_scan(study, BOTH)
    assert Path(find_scan(study, make_test_plan().task).images["image"].path).name == "a"
    write_series(study / "c", make_grid("sagittal"))
    change(study / "c", lambda dataset, _: setattr(dataset, "PatientID", "PH-V"))
    with pytest.raises(SeriesError, match=r"CT series are of 2 patients; give the folder of each, like .*\*"):
        find_scan(study, make_test_plan().task)


def test_a_series_and_its_phase_are_chosen_by_channel(study: Path) -> None:
    write_series(study / "c", make_grid("sagittal"))
    uid = next(item.uid for item in find_series(study).series if item.folder.endswith("c"))
    scan = find_scan(study, BOTH, {"ct": ReadOptions(series=uid, phase="2"), "": ReadOptions(pet="stored")})
    assert Path(scan.images["ct"].path).name == "c"
    ct, pet = scan.images["ct"].options, scan.images["pet"].options
    assert (ct.series, ct.phase) == (uid, "2")
    assert (pet.phase, pet.pet) == (None, "stored")
    with pytest.raises(SeriesError, match=r"it has no CT series with the UID 1\.2, which channel ct needs"):
        find_scan(study, BOTH, {"ct": ReadOptions(series="1.2")})
    with pytest.raises(InputError, match="no such channel; did you mean 'pet'"):
        find_scan(study, BOTH, {"pett": ReadOptions()})


def test_two_channels_may_lie_in_one_folder(study: Path) -> None:
    for path in sorted((study / "b").iterdir()):
        path.rename(study / "a" / f"pet-{path.name}")
    scan = find_scan(study, BOTH)
    assert scan.images["ct"].path == scan.images["pet"].path == str(study / "a")
    assert scan.images["ct"].options.series != scan.images["pet"].options.series


def test_files_and_names(tmp_path: Path, study: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    path.write_text("")
    assert find_scan(path, make_test_plan().task).id == "scan"
    with pytest.raises(InputError, match="but the bundle takes ct and pet"):
        find_scan(path, BOTH)
    assert name_scan({"ct": study / "a", "pet": study / "b"}, BOTH).images["pet"].path == str(study / "b")
    with pytest.raises(InputError, match="no such channel; did you mean 'pet'"):
        name_scan({"ct": path, "pett": path}, BOTH)
    with pytest.raises(InputError, match="--image pet: this channel"):
        name_scan({"ct": path}, BOTH)
    with pytest.raises(MissingInputError):
        name_scan({"ct": tmp_path / "x", "pet": path}, BOTH)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="empty: it is empty; give a file"):
        find_scan(tmp_path / "empty", BOTH)
    (tmp_path / "empty" / "configs").mkdir()
    with pytest.raises(MissingInputError, match="it is a bundle, no scan; give a scan; the order is medunet predict B"):
        find_scan(tmp_path / "empty", BOTH)
    (tmp_path / "empty" / "configs").rename(tmp_path / "empty" / "other")
    with pytest.raises(MissingInputError, match="holds no DICOM image; give a file"):
        find_scan(tmp_path / "empty", BOTH)
    path.rename(tmp_path / "empty" / path.name)
    with pytest.raises(MissingInputError, match=r"no DICOM image, but others like scan\.nii\.gz; name each channel"):
        find_scan(tmp_path / "empty", BOTH)
    with pytest.raises(MissingInputError, match=r"give the files, like .*\*"):
        find_scan(tmp_path / "empty", make_test_plan().task)


def test_every_picture_of_a_folder_is_a_scan(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(MissingInputError, match="it holds no PNG"):
        list_pictures(tmp_path / "in")
    for name in ("b.png", "a.PNG", "notes.txt"):
        (tmp_path / "in" / name).touch()
    assert [path.name for path in list_pictures(tmp_path / "in")] == ["a.PNG", "b.png"]
