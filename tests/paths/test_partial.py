"""Patients of whom a label each was contoured: from a list to scores, by the two ways to train."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from cohorts import SPACING, write_cohort
from commands import run
from plans import pin_schedule

import medunet
from medunet.bundle import open_bundle
from medunet.cohort import LabelChoices
from medunet.training.history import read_history

LABELS = ("left eye", "right eye")


def write_partial(folder: Path) -> Path:
    """Four patients, each with one of two labels contoured."""
    path = write_cohort(folder, labels=LABELS, shape=(32, 32, 24))
    contoured = {}
    for number, name in enumerate("abcd"):
        file = folder / f"{name}_label.nii.gz"
        voxels = np.asarray(nib.load(file).dataobj)
        nib.save(nib.Nifti1Image(voxels * (voxels == number % 2 + 1), np.diag([-SPACING[0], *SPACING[1:], 1.0])), file)
        contoured[name] = [LABELS[number % 2]]
    (folder / "contoured.json").write_text(json.dumps(contoured))
    return path


@pytest.mark.parametrize(
    ("regions", "scored"),
    [({}, {("a", LABELS[0]), ("b", LABELS[1])}), ({LABELS[0]: LABELS}, {("b", LABELS[1])})],
)
def test_a_cohort_where_nobody_has_all_labels_trains_and_is_scored(
    tmp_path: Path, regions: dict[str, tuple[str, ...]], scored: set[tuple[str, str]]
) -> None:
    path, bundle = write_partial(tmp_path / "in"), tmp_path / "bundle"
    planned = medunet.init(path, bundle, budget_minutes=1, labels=LabelChoices(regions=regions))
    assert planned.training.partial
    assert planned.task.sides == (LABELS,)
    pin_schedule(bundle, epochs=1, steps_per_epoch=3)
    medunet.train(bundle, fold=0)
    (row,) = read_history(open_bundle(bundle).work / "fold0" / "history.csv")
    assert 0 < row.loss < 10
    scores = medunet.evaluate(bundle).scores
    # What a region is of which one label is unknown isn't known, and a voxel of a known one in it says nothing else.
    assert {(score.case, score.label) for score in scores.of_first()} == scored


def test_what_is_missing_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_partial(tmp_path / "in")
    (tmp_path / "in" / "contoured.json").unlink()
    assert run(monkeypatch, "init", path, tmp_path / "bundle", "--budget", "1m") == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert re.search(r"left eye in 2, right eye in 2.* --missing absent", said)
    errors = [item for item in medunet.check(path) if item.severity == "error"]
    assert [(item.code, item.option) for item in errors] == [("label-unsaid", "--missing")]
    told = medunet.check(path, labels=LabelChoices(missing="unknown"))
    assert not [item for item in told if item.severity == "error"]


@pytest.mark.parametrize("layout", ["nnunet", "msd"])
def test_an_exported_cohort_keeps_what_is_known(tmp_path: Path, layout: str) -> None:
    path = write_partial(tmp_path / "in")
    out = medunet.export_cohort(path, tmp_path / "Dataset001_x", layout)
    assert [case.contoured for case in out.cases] == [(LABELS[number % 2],) for number in range(4)]
