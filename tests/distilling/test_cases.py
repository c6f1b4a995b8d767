import shutil
from pathlib import Path

import pytest
from cohorts import write_cohort
from plans import make_test_plan, make_tiny_bundle

from medunet.bundle import Bundle, hide_images, open_bundle
from medunet.cohort import hash_image, read_channel, read_cohort, split_cases
from medunet.distilling.cases import find_teachers_cohort, find_unlabelled
from medunet.errors import BundleError, InputError
from medunet.findings import listening
from medunet.records import read_json, write_json


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return write_cohort(tmp_path / "cohort", labels=("lesion",))


def make_teacher(folder: Path, listed: Path, fold: int | str = 0, known: bool = True) -> Bundle:
    """A bundle without its cohort that tells, or doesn't, on which images a fold of it was trained."""
    make_tiny_bundle(folder, "ab")
    shutil.rmtree(folder / "work")
    cohort = read_cohort(listed)
    cases = cohort.cases if fold == "all" else split_cases(cohort, int(fold))[0]
    images = [read_channel(case, "ct") for case in cases]
    hashes = [hash_image(image.voxels, image.grid.affine) for image in images]
    path = folder / "configs" / "metadata.json"
    facts = {"training": {"fold": fold}}
    if fold == "all":
        facts["fold_weights"] = {f"model_fold{n}.pt": "0" * 64 for n in (0, 1)}
    write_json(path, read_json(path) | facts | ({"training_images": hide_images(hashes)} if known else {}))
    return open_bundle(folder)


@pytest.mark.parametrize("fold", [0, 1, "all"])
def test_a_cohort_is_that_of_the_training_with_its_folds(listed: Path, tmp_path: Path, fold: int | str) -> None:
    teacher = make_teacher(tmp_path / "t", listed, fold)
    with pytest.raises(BundleError, match="without its training cohort; name that with --cohort"):
        find_teachers_cohort(teacher, None)
    found = find_teachers_cohort(teacher, listed)
    assert found.folds == (("a", "b"), ("c", "d"))
    assert found.labels == make_test_plan().task.labels


def test_other_folds_or_patients_are_refused(listed: Path, tmp_path: Path) -> None:
    teacher = make_teacher(tmp_path / "t", listed)
    cohort = read_json(listed)
    other = listed.with_name("other.json")
    write_json(other, cohort | {"folds": [["a", "c"], ["b", "d"]]})
    with pytest.raises(InputError, match=r"case (a|b|c|d) is (held out|trained on) by the folds, which it wasn't"):
        find_teachers_cohort(teacher, other)
    write_json(other, cohort | {"folds": None})
    with pytest.raises(InputError, match="nothing says by which network"):
        find_teachers_cohort(teacher, other)
    write_json(other, cohort | {"labels": ["organ"]})
    with pytest.raises(InputError, match="its labels are"):
        find_teachers_cohort(teacher, other)
    ensemble = make_teacher(tmp_path / "e", listed, "all")
    write_json(other, cohort | {"folds": [["a", "b"]]})
    with pytest.raises(InputError, match="it has 1 folds, but"):
        find_teachers_cohort(ensemble, other)


def test_a_teacher_that_tells_nothing_is_warned_of(listed: Path, tmp_path: Path) -> None:
    teacher = make_teacher(tmp_path / "t", listed, known=False)
    with listening() as heard:
        find_teachers_cohort(teacher, listed)
    assert [item.code for item in heard] == ["patient-seen"]


def test_unlabelled_scans_are_cases_with_names_of_their_own(listed: Path, tmp_path: Path) -> None:
    teacher, cohort = make_teacher(tmp_path / "t", listed), read_cohort(listed)
    folder = tmp_path / "scans"
    folder.mkdir()
    shutil.copy(listed.parent / "a_ct.nii.gz", folder / "x.nii.gz")
    (folder / "broken.nii.gz").write_bytes(b"no scan")
    with listening() as heard:
        found = find_unlabelled(teacher, folder, cohort)
    assert [(case.id, case.label, case.contoured) for case in found.cases] == [("unlabelled_x", None, ())]
    assert [Path(item.subject).name for item in heard] == ["broken.nii.gz"]
    assert found.folds is None
    taken = cohort.model_copy(update={"cases": (cohort.cases[0].model_copy(update={"id": "unlabelled_x"}),)})
    assert [case.id for case in find_unlabelled(teacher, folder / "x.nii.gz", taken).cases] == ["unlabelled_x_"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="it holds no scan"):
        find_unlabelled(teacher, empty, cohort)
