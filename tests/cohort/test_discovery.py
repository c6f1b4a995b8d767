import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicoms import change, write_seg
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from medunet.cohort import find_cohort, read_channel, read_label, split_folds, write_cohort
from medunet.errors import InputError, LabelError, MedunetError, MissingInputError, SeriesError
from medunet.labels import LabelTable
from medunet.reading import read_mask, read_volume
from medunet.testing.phantoms import PhantomSize, make_cohort


@pytest.fixture
def tree(patients: list[Path], tmp_path: Path) -> Path:
    for patient in patients[:2]:
        shutil.copytree(patient, tmp_path / "tree" / patient.name)
    return tmp_path / "tree"


def edit_contours(folder: Path, **values: object) -> None:
    dataset = dcmread(folder / "contours.dcm")
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(folder / "contours.dcm")


def rename(folder: Path, name: str) -> None:
    dataset = dcmread(folder / "contours.dcm")
    dataset.StructureSetROISequence[0].ROIName = name
    dataset.save_as(folder / "contours.dcm")


def test_patients_channels_and_contours_are_found(cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    assert cohort.channels == ("ct",)
    assert cohort.labels.names == ("lesion",)
    assert len(cohort.cases) == 6
    volumes = []
    for case in cohort.cases:
        grid = read_channel(case, "ct").grid
        volumes.append(read_label(cohort, case, grid).volumes_ml()["lesion"])
    assert sum(volume == 0 for volume in volumes) == 1


def test_names_that_differ_in_their_end_are_one_label(tree: Path) -> None:
    for number, folder in enumerate(sorted(tree.iterdir())):
        rename(folder, f"GTV_{number}")
    cohort = find_cohort(tree)
    assert cohort.labels.names == ("GTV",)
    assert [case.label.rois["GTV"] for case in cohort.cases if case.label] == ["GTV_0", "GTV_1"]


def test_names_that_differ_altogether_are_refused(tree: Path) -> None:
    rename(min(tree.iterdir()), "spleen")
    with pytest.raises(LabelError, match=r"cohort\.json"):
        find_cohort(tree)


def test_contours_that_name_another_series_are_matched_by_place(tree: Path) -> None:
    for folder in tree.iterdir():
        dataset = dcmread(folder / "contours.dcm")
        study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        study.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"
        dataset.save_as(folder / "contours.dcm")
    cohort = find_cohort(tree)
    assert any(case.label is not None for case in cohort.cases)


def test_stray_contours_are_refused(tree: Path) -> None:
    edit_contours(min(tree.iterdir()), PatientID="somebody")
    with pytest.raises(LabelError, match="'somebody' has no images here"):
        find_cohort(tree)


def test_two_series_of_one_modality_are_refused(tree: Path) -> None:
    folder = min(tree.iterdir())
    shutil.copytree(folder / "CT", folder / "CT2")
    change(folder / "CT2", lambda dataset, _: setattr(dataset, "SeriesInstanceUID", "1.2.3"))
    with pytest.raises(SeriesError, match="it has 2 CT series"):
        find_cohort(tree)


def test_studies_of_a_patient_are_cases_of_one_patient(patients: list[Path], tmp_path: Path) -> None:
    """Each with its own labels, and folds keep them together."""
    for patient in patients[:3]:
        shutil.copytree(patient, tmp_path / "tree" / patient.name)

    def join(dataset: Dataset, _: int) -> None:
        dataset.PatientID = patients[0].name

    change(tmp_path / "tree" / patients[1].name / "CT", join)
    edit_contours(tmp_path / "tree" / patients[1].name, PatientID=patients[0].name)
    cohort = find_cohort(tmp_path / "tree")
    first, second, third = cohort.cases
    assert (first.id, second.id) == (f"{patients[0].name}_1", f"{patients[0].name}_2")
    assert first.patient == second.patient == patients[0].name
    assert third.id == third.patient == patients[2].name
    for case, patient in ((first, patients[0]), (second, patients[1])):
        assert case.label is not None
        assert Path(case.label.path).parent.name == patient.name
        alone = read_label(cohort, case, read_channel(case, "ct").grid).volumes_ml()
        assert alone == pytest.approx(read_label(cohort, case, read_volume(patient / "CT").grid).volumes_ml())
    assert {len(fold) for fold in split_folds(cohort)} == {1}


def test_a_patient_who_lacks_a_channel_is_named_and_channels_can_be_limited(tree: Path) -> None:
    folder = min(tree.iterdir())
    shutil.copytree(folder / "CT", folder / "MR")

    def to_mr(dataset: Dataset, _: int) -> None:
        dataset.Modality, dataset.SeriesInstanceUID = "MR", "1.2.3"

    change(folder / "MR", to_mr)
    with pytest.raises(SeriesError, match="it has no MR series"):
        find_cohort(tree)
    assert find_cohort(tree, channels=("ct",)).channels == ("ct",)
    with pytest.raises(InputError, match="no channel 'cd'"):
        find_cohort(tree, channels=("cd",))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="it is empty; give a DICOM tree"):
        find_cohort(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(MissingInputError, match="it holds no DICOM image; give a DICOM tree"):
        find_cohort(tmp_path)


Edit = Callable[[Dataset], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_cohort(folder, 2, PhantomSize((16, 14, 8), (20.0, 22.0, 30.0)))
    return folder


@pytest.fixture
def pair(made: Path, tmp_path: Path) -> Path:
    """Patients PH-0000 and PH-0001 of few voxels, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "pair"))


def edit_all(path: Path, edit: Edit) -> None:
    """Change a DICOM file, or all below a folder."""
    for file in sorted(path.rglob("*.dcm")) if path.is_dir() else [path]:
        dataset = dcmread(file)
        edit(dataset)
        dataset.save_as(file)


def add_series(patient: Path, modality: str, folder: str = "") -> Path:
    """Give a patient's CT another time, as a series of that modality."""
    added = patient / (folder or modality)
    uid = generate_uid()
    shutil.copytree(patient / "CT", added)
    edit_all(added, lambda ds: ds.update({"Modality": modality, "SeriesInstanceUID": uid}))
    return added


def refer_to(contours: Dataset, series: str) -> None:
    frame = contours.ReferencedFrameOfReferenceSequence[0]
    frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].SeriesInstanceUID = series


def set_frame(contours: Dataset, uid: str) -> None:
    contours.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = uid


def declare(*names: str) -> Edit:
    """Declare these structures instead of the one there is."""

    def edit(contours: Dataset) -> None:
        structures = []
        for number, name in enumerate(names, start=1):
            item = Dataset()
            item.ROINumber, item.ROIName, item.ROIGenerationAlgorithm = number, name, "MANUAL"
            structures.append(item)
        contours.StructureSetROISequence = structures
        if not names:
            contours.ROIContourSequence = []

    return edit


def move_contours(offset_mm: tuple[float, float, float]) -> Edit:
    def edit(contours: Dataset) -> None:
        for item in contours.ROIContourSequence[0].ContourSequence:
            points = np.reshape([float(value) for value in item.ContourData], (-1, 3)) + offset_mm
            item.ContourData = [f"{value:.3f}" for value in points.ravel()]

    return edit


def refuse(path: Path, kind: type[MedunetError], channels: tuple[str, ...] | None = None) -> str:
    with pytest.raises(kind) as caught:
        find_cohort(path, channels)
    assert "\n" not in str(caught.value).partition(":\n  description")[0]
    return str(caught.value)


def test_paths_are_absolute_and_a_list_in_the_folder_goes_first(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pair.parent)
    found = find_cohort("pair")
    case = found.cases[0]
    assert case.label is not None
    assert Path(case.channels["ct"].path) == pair / "PH-0000" / "CT"
    assert Path(case.label.path) == pair / "PH-0000" / "contours.dcm"
    shorter = found.model_copy(update={"cases": found.cases[:1]})
    write_cohort(pair / "cohort.json", shorter)
    assert find_cohort("pair") == find_cohort(pair / "cohort.json") == shorter


def test_modalities_are_channels_in_a_fixed_order(pair: Path) -> None:
    for patient in pair.iterdir():
        add_series(patient, "MR", "A")
        add_series(patient, "PT", "B")
    cohort = find_cohort(pair)
    assert cohort.channels == ("ct", "pet", "mr")
    assert cohort.modalities == {"ct": "CT", "pet": "PT", "mr": "MR"}
    assert [Path(channel.path).name for channel in cohort.cases[0].channels.values()] == ["CT", "B", "A"]
    limited = find_cohort(pair, ("pet", "ct"))
    assert limited.channels == tuple(limited.modalities) == tuple(limited.cases[1].channels) == ("pet", "ct")
    write_cohort(pair / "cohort.json", cohort)
    assert find_cohort(pair, ("ct",)).cases[0].channels.keys() == {"ct"}
    assert "did you mean 'pet'" in refuse(pair, InputError, ("pett",))


def test_two_series_of_a_modality_are_listed_with_uid_and_folder(pair: Path) -> None:
    add_series(pair / "PH-0001", "CT", "late")
    line = refuse(pair, SeriesError)
    assert line.startswith("patient PH-0001: it has 2 CT series")
    for folder in ("CT", "late"):
        uid = dcmread(pair / "PH-0001" / folder / "0001.dcm").SeriesInstanceUID
        row = rf"Portal venous phase +1 +CT +\d+ +{uid} +{pair / 'PH-0001' / folder}$"
        assert any(re.search(row, text) for text in line.splitlines())


def test_two_series_in_one_folder_are_told_apart(pair: Path) -> None:
    for patient in pair.iterdir():
        for path in add_series(patient, "PT").iterdir():
            path.rename(patient / "CT" / f"pet-{path.name}")
    case = find_cohort(pair).cases[0]
    assert case.channels["ct"].path == case.channels["pet"].path
    assert [read_channel(case, name).source.modality for name in ("ct", "pet")] == ["CT", "PT"]


def test_images_that_are_no_channel_or_nobodys_are_refused(pair: Path) -> None:
    edit_all(pair / "PH-0001" / "CT", lambda ds: setattr(ds, "PatientID", ""))
    assert "CT: its CT series names no patient" in refuse(pair, SeriesError)
    shutil.rmtree(pair / "PH-0001")
    edit_all(pair / "PH-0000" / "CT", lambda ds: setattr(ds, "Modality", "US"))
    assert "its series are US" in refuse(pair, SeriesError)


def test_ids_fit_into_file_names_and_stay_apart(pair: Path) -> None:
    edit_all(pair / "PH-0000", lambda ds: setattr(ds, "PatientID", "a/1"))
    assert [(case.id, case.patient) for case in find_cohort(pair).cases] == [("PH-0001", "PH-0001"), ("a_1", "a/1")]
    edit_all(pair / "PH-0001", lambda ds: setattr(ds, "PatientID", "a_1"))
    assert "two cases have the id a_1" in refuse(pair, InputError)


def test_contours_go_with_the_series_that_they_reference(pair: Path) -> None:
    for patient in pair.iterdir():
        uid = dcmread(add_series(patient, "PT") / "0001.dcm").SeriesInstanceUID
        shutil.copy(patient / "contours.dcm", patient / "pet.dcm")
        edit_all(patient / "pet.dcm", lambda ds, uid=uid: refer_to(ds, uid))
    for channels, name in ((("ct", "pet"), "contours.dcm"), (("pet",), "pet.dcm")):
        labels = [case.label for case in find_cohort(pair, channels).cases]
        assert [label and Path(label.path).name for label in labels] == [name, name]


def test_two_contour_files_of_one_series_are_refused(pair: Path) -> None:
    shutil.copy(pair / "PH-0000" / "contours.dcm", pair / "PH-0000" / "again.dcm")
    line = refuse(pair, LabelError)
    assert "patient PH-0000: 2 files of labels fit its CT" in line
    assert "again.dcm" in line


@pytest.mark.parametrize(
    ("edit", "fits"),
    [
        (lambda _: None, True),
        (lambda ds: ds.ROIContourSequence[0].__delattr__("ContourSequence"), True),
        (lambda ds: set_frame(ds, "1.2.3"), False),
        (move_contours((0, 0, 9.0)), False),  # between slices, which are 24 mm or more apart
        (move_contours((0, 0, 3000.0)), False),
        (move_contours((3000.0, 0, 0)), False),
    ],
    ids=["in place", "undrawn", "other frame", "between slices", "above", "beside"],
)
def test_contours_of_a_lost_series_fit_by_frame_and_place(
    pair: Path, edit: Edit, fits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    edit_all(pair / "PH-0000" / "contours.dcm", lambda ds: refer_to(ds, "1.2.840.99.1"))
    edit_all(pair / "PH-0000" / "contours.dcm", edit)
    with caplog.at_level(logging.WARNING):
        first, second = find_cohort(pair).cases
    assert (first.label is not None) == fits
    assert second.label is not None
    warned = [line for line in caplog.messages if "contours.dcm: it was made on another image than the CT" in line]
    assert len(warned) == (not fits)


def add_seg(patient: Path, name: str = "seg.dcm") -> Path:
    """A SEG of the patient's CT with what its contours hold."""
    volume = read_volume(patient / "CT")
    table = LabelTable.from_names(["lesion"])
    write_seg(patient / name, read_mask(patient / "contours.dcm", volume.grid, table), patient / "CT")
    return patient / name


def test_segmentations_are_labels_too(pair: Path) -> None:
    before = find_cohort(pair)
    for case, patient in zip(before.cases, sorted(pair.iterdir()), strict=True):
        add_seg(patient)
        words = refuse(pair, LabelError)
        assert "2 files of labels fit its CT" in words
        assert "list the right ones in a cohort.json" in words
        (patient / "contours.dcm").rename(patient.parent.parent / f"{case.id}.dcm")
    found = find_cohort(pair)
    assert found.labels.names == ("lesion",)
    for case, old in zip(found.cases, before.cases, strict=True):
        assert case.label is not None
        assert Path(case.label.path).name == "seg.dcm"
        volume = read_channel(case, "ct")
        mask = read_label(found, case, volume.grid)
        expected = read_mask(pair.parent / f"{old.id}.dcm", volume.grid, found.labels)
        assert np.array_equal(mask.voxels, expected.voxels)
        edit_all(Path(case.channels["ct"].path), lambda dataset: setattr(dataset, "FrameOfReferenceUID", "1.2.3"))
        assert np.array_equal(read_label(found, case, volume.grid).voxels, mask.voxels)
        edit_all(Path(case.channels["ct"].path), lambda dataset: setattr(dataset, "StudyInstanceUID", "1.2.4"))
        with pytest.raises(LabelError, match="its frame of reference"):
            read_label(found, case, volume.grid)


@pytest.mark.parametrize(
    ("edit", "fits"),
    [
        (lambda _: None, True),
        (lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.3"), False),
        (lambda ds: move_frames(ds, (0, 0, 9.0)), False),
        (lambda ds: move_frames(ds, (3000.0, 0, 0)), False),
    ],
    ids=["in place", "other frame", "between slices", "beside"],
)
def test_a_segmentation_of_a_lost_series_fits_by_frame_and_place(pair: Path, edit: Edit, fits: bool) -> None:
    for patient in pair.iterdir():
        path = add_seg(patient)
        (patient / "contours.dcm").unlink()
    edit_all(path, lambda ds: setattr(ds.ReferencedSeriesSequence[0], "SeriesInstanceUID", "1.2.840.99.1"))
    edit_all(path, edit)
    labels = {case.label.path for case in find_cohort(pair).cases if case.label}
    assert (str(path) in labels) == fits
    assert len(labels) == 1 + fits


def move_frames(seg: Dataset, offset_mm: tuple[float, float, float]) -> None:
    for frame in seg.PerFrameFunctionalGroupsSequence:
        plane = frame.PlanePositionSequence[0]
        moved = np.array(plane.ImagePositionPatient, float) + offset_mm
        plane.ImagePositionPatient = [f"{value:.3f}" for value in moved]


def test_without_any_contours_there_is_nothing_to_learn(pair: Path) -> None:
    for patient in pair.iterdir():
        (patient / "contours.dcm").unlink()
    assert "no RTSTRUCT or SEG fits any image" in refuse(pair, LabelError)


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [
        (("tumor", "organ"), ("organ", "tumor"), {"organ": "organ", "tumor": "tumor"}),
        (("GTV_Mass_CT",), ("GTV_Mass_PET",), {"GTV_Mass": "GTV_Mass_PET"}),
        (("Lesion",), ("lesion",), {"Lesion": "lesion"}),
        (("GTV",), ("gtv 2",), {"GTV": "gtv 2"}),
        (("GTV12",), ("GTV13",), {"GTV": "GTV13"}),
    ],
)
def test_structures_become_labels(
    pair: Path, first: tuple[str, ...], second: tuple[str, ...], labels: dict[str, str]
) -> None:
    for patient, names in (("PH-0000", first), ("PH-0001", second)):
        edit_all(pair / patient / "contours.dcm", declare(*names))
    cohort = find_cohort(pair)
    assert list(cohort.labels.names) == sorted(labels)
    assert cohort.cases[1].label is not None
    assert cohort.cases[1].label.rois == labels


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (("lesion",), ("tumor",), "its structures are tumor, those of"),
        (("GTVp",), ("GTVn",), "its structures are GTVn, those of"),
        (("liver",), ("livestock",), "its structures are livestock, those of"),
        (("a", "b"), ("a",), "its structures are a, those of"),
        (("a_1", "a_2"), ("a_1", "a_3"), "its structures are a_1, a_3, those of"),
        (("a",), (), "it declares no structure"),
        ((), (), "it declares no structure"),
    ],
)
def test_structures_of_different_names_are_refused(
    pair: Path, first: tuple[str, ...], second: tuple[str, ...], words: str
) -> None:
    for patient, names in (("PH-0000", first), ("PH-0001", second)):
        edit_all(pair / patient / "contours.dcm", declare(*names))
    assert words in refuse(pair, LabelError)


@pytest.mark.data
def test_a_real_pet_has_the_segments_of_its_seg(pet_seg: Path) -> None:
    cohort = find_cohort(pet_seg)
    (case,) = cohort.cases
    assert (cohort.channels, cohort.labels.names) == (("pet",), ("Neoplasm, Primary", "Neoplasm, Secondary"))
    volume = read_channel(case, "pet")
    found = read_label(cohort, case, volume.grid).volumes_ml()
    assert all(volume > 0.5 for volume in found.values())


def test_a_single_file_is_no_cohort(tmp_path: Path) -> None:
    (tmp_path / "scan.nii").write_bytes(bytes(400))
    with pytest.raises(InputError, match="it is a single file, no cohort; give a folder, or a list of cases"):
        find_cohort(tmp_path / "scan.nii")
