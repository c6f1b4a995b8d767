from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from cohorts import write_cohort
from pet_ct import write_pet_ct

from medunet.cohort import Case, Cohort, find_cohort, open_case
from medunet.confidence import Confidence, StructureConfidence
from medunet.evaluation import fit_floors, join_scores, score_cases, score_masks
from medunet.evaluation.fitting import Floors
from medunet.evaluation.scoring import list_trust
from medunet.findings import listening
from medunet.labels import Mask


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return write_pet_ct(tmp_path)


def test_scores_stand_beside_floors_and_each_case_is_shown(cohort: Cohort) -> None:
    floors = fit_floors(cohort, cohort.cases, 0)
    assert list(floors.methods) == ["ellipsoid", "threshold ct", "threshold pet"]

    def repeat(case: Case, truth: Mask) -> Mask:
        assert case in cohort.cases
        return truth

    shown = []
    scores = score_cases(cohort, cohort.cases, floors, repeat, shown.append)
    dice = {name: [score.dice for score in cases] for name, cases in scores.methods.items()}
    assert dice["medunet"] == [1.0, 1.0, None]
    assert all(value is not None and value > 0.8 for value in dice["threshold pet"][:2])
    assert all(value is not None and value < 0.5 for value in dice["threshold ct"][:2])
    assert [scored.case.id for scored in shown] == ["P0", "P1", "P2"]
    assert all(one.volume.grid.shape == one.truth.grid.shape and one.mask is one.truth for one in shown)
    assert all(list(one.images) == ["ct", "pet"] for one in shown)
    assert tuple(score for one in shown for score in one.scores) == scores.methods["medunet"]


@pytest.mark.parametrize(("missing", "said"), [(None, True), ("absent", False), ("unknown", False)])
def test_what_a_missing_label_was_taken_for_is_told_unless_it_was_said(
    tmp_path: Path, missing: str | None, said: bool
) -> None:
    found = find_cohort(write_cohort(tmp_path / "in", labels=("a", "b"), patients="ab"))
    empty = found.cases[0].model_copy(update={"label": found.cases[1].label, "channels": found.cases[1].channels})
    values = {1: 1, 2: 0}
    assert empty.label is not None
    path = Path(empty.label.path).with_name("without.nii.gz")
    image = nib.load(empty.label.path)
    nib.save(nib.Nifti1Image(np.vectorize(values.get)(image.get_fdata(), 0).astype(np.uint8), image.affine), path)
    empty = empty.model_copy(update={"label": empty.label.model_copy(update={"path": str(path)})})
    cohort = found.model_copy(update={"cases": (empty, found.cases[1]), "missing": missing})
    with listening() as heard:
        scores = score_cases(
            cohort, cohort.cases, Floors(fold=0, methods={}), lambda _, truth: truth, lambda *_: None
        ).of_first()
    assert [item.code for item in heard if item.code == "label-unsaid"] == ["label-unsaid"] * said
    assert len(scores) == (3 if missing == "unknown" else 4)


def test_the_word_trust_is_kept_by_label_and_case(cohort: Cohort) -> None:
    lesion = StructureConfidence(name="lesion", trust="look", score=0.4, expected=0.4)
    organ = StructureConfidence(name="organ", trust="as trained", score=0.9, expected=0.9)
    own = Confidence(trust="look", structures=(lesion, organ))
    floors = fit_floors(cohort, cohort.cases, 0)
    scores = score_cases(cohort, cohort.cases, floors, lambda _, truth: replace(truth, confidence=own), lambda *_: None)
    assert scores.trust["lesion"] == dict.fromkeys(("P0", "P1", "P2"), "look")
    assert scores.trust["organ"]["P1"] == "as trained"
    whole = replace(next(iter(masks(cohort))), confidence=own.model_copy(update={"reasons": ("odd",)}))
    assert dict(list_trust(whole)) == {"lesion": "look", "organ": "look"}
    assert list(list_trust(replace(whole, confidence=None))) == []
    first = scores.model_copy(update={"methods": {"medunet": scores.methods["medunet"][:1]}})
    other = first.model_copy(update={"trust": {"lesion": {"P9": "look"}}})
    assert join_scores([first, other]).trust["lesion"].keys() == {"P0", "P1", "P2", "P9"}


def masks(cohort: Cohort) -> Iterator[Mask]:
    """Truths of the cases."""
    return (open_case(cohort, case)[1] for case in cohort.cases)


def test_masks_of_folds_are_scored_each_by_its_own(cohort: Cohort) -> None:
    folds = [[cohort.cases[0]], [cohort.cases[1], cohort.cases[2]]]
    asked = []

    def find(fold: int, case: Case, truth: Mask) -> Mask:
        asked.append((fold, case.id))
        return truth

    validation = score_masks(cohort, folds, find)
    assert asked == [(0, "P0"), (1, "P1"), (1, "P2")]
    assert validation.folds == (("P0",), ("P1", "P2"))
    assert validation.summary[0].dice == 1.0
