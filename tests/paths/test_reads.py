"""What is found once is carried: how often headers are parsed and files hashed from a command's begin to its end."""

import shutil
from pathlib import Path

from counting import Counts

import medunet
from medunet.cohort import find_cohort, write_cohort
from medunet.testing.phantoms import PhantomSize, draw_cohort, write_patient

SIZE = PhantomSize((16, 16, 8), (20.0, 20.0, 25.0))


def write_flat(folder: Path, patients: int) -> int:
    """All files of some patients in one folder; returns how many."""
    folder.mkdir(parents=True)
    for phantom in draw_cohort(patients, SIZE, seed=40):
        write_patient(phantom, folder.with_name("one"))
        for path in [path for path in folder.with_name("one").rglob("*") if path.is_file()]:
            path.rename(folder / f"{phantom.patient_id}-{path.name}")
        shutil.rmtree(folder.with_name("one"))
    return len(list(folder.iterdir()))


def test_a_prediction_parses_each_header_once(
    trained: Path, patients: list[Path], tmp_path: Path, counts: Counts
) -> None:
    """Found, checked, decoded, predicted, written as a SEG that refers to every slice."""
    patient = shutil.copytree(patients[0], tmp_path / "in" / "p")
    slices = {str(path) for path in (patient / "CT").iterdir()}
    (made,) = medunet.predict(trained, patient, output=tmp_path / "out", formats=("nifti", "seg"))
    assert made.mask.grid.shape[2] == len(slices)
    parsed = counts.take("parse", patient)
    assert slices < set(parsed), "the contours beside them are looked at too"
    assert set(parsed.values()) == {1}
    assert not counts.take("dcmread", patient)
    counts.clear()
    medunet.predict(trained, {"ct": patient / "CT"}, output=tmp_path / "named", formats=("nifti", "seg"))
    assert counts.take("parse", patient) == dict.fromkeys(slices, 1)
    counts.clear()
    medunet.read_volume(patient / "CT")
    assert counts.take("parse", patient) == dict.fromkeys(slices, 1)


def test_a_flat_folder_of_patients_is_found_once(tmp_path: Path, counts: Counts) -> None:
    """Header reads and hashes of `init` and `check` grow as the patients do."""
    reads, hashes, checked = {}, {}, {}
    for patients in (8, 16):
        folder = tmp_path / f"flat{patients}" / "in"
        files = write_flat(folder, patients)
        counts.clear()
        medunet.init(folder, folder.with_name("bundle"), budget_minutes=0.5)
        parsed, hashed = counts.take("parse", folder), counts.take("hash", folder)
        assert len(parsed) == len(hashed) == files
        assert set(hashed.values()) == {1}
        reads[patients], hashes[patients] = parsed.total(), hashed.total()
        counts.clear()
        medunet.check(folder)
        checked[patients] = counts.take("parse", folder).total()
    assert reads[16] <= 2.2 * reads[8]
    assert hashes[16] <= 2.2 * hashes[8]
    assert checked[16] <= 2.2 * checked[8]
    assert reads[8] <= 2 * len(list((tmp_path / "flat8" / "in").iterdir())), "once to find it, once to measure it"


def test_a_listed_cohort_in_one_folder_is_found_once(tmp_path: Path, counts: Counts) -> None:
    """Nothing is carried out of a cohort.json; what was found in its folder is remembered."""
    folder = tmp_path / "flat" / "in"
    files = write_flat(folder, 5)
    write_cohort(tmp_path / "cohort.json", find_cohort(folder))
    counts.clear()
    medunet.init(tmp_path / "cohort.json", tmp_path / "bundle", budget_minutes=0.5)
    assert counts.take("parse", folder).total() <= 2 * files
    hashed = counts.take("hash", folder)
    assert len(hashed) == files
    assert set(hashed.values()) == {1}
