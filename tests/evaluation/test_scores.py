from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from medunet.errors import GeometryError, LabelError
from medunet.evaluation.scores import CaseScore, Scores, score_case
from medunet.evaluation.summary import compare_methods, summarize
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask, Region
from medunet.records import read_record, write_record

GRID = Grid((20, 20, 20), np.diag([5.0, 5.0, 8.0, 1.0]))


def make_mask(names: list[str], parts: dict[int, tuple[int, int]], grid: Grid = GRID) -> Mask:
    voxels = np.zeros(grid.shape, dtype=np.uint16)
    for value, (start, stop) in parts.items():
        voxels[start:stop, 2:6, 2:6] = value
    return Mask("classes", voxels, grid, LabelTable.from_names(names))


def make_score(case: str, dice: float | None, **more: float | None) -> CaseScore:
    values = {"nsd": dice, "truth_ml": 5.0, "predicted_ml": 4.0, "found": 1, "missed": 0, "false_found": 0}
    return CaseScore(case=case, label="tumor", dice=dice, **(values | {"false_ml": 0.0} | more))


def test_labels_are_scored_one_by_one() -> None:
    truth = make_mask(["liver", "tumor"], {1: (0, 4), 2: (10, 14)})
    predicted = make_mask(["liver", "tumor"], {1: (2, 6), 2: (10, 14)})
    liver, tumor = score_case(predicted, truth, "one")
    assert (liver.case, liver.label, tumor.label) == ("one", "liver", "tumor")
    assert liver.dice == pytest.approx(0.5)
    assert (tumor.dice, tumor.nsd) == (1, 1)
    assert tumor.truth_ml == pytest.approx(4 * 16 * 200 / 1000)
    assert (tumor.found, tumor.missed, tumor.false_found, tumor.false_ml) == (1, 0, 0, 0)


def test_labels_are_matched_by_name() -> None:
    truth = make_mask(["liver", "tumor"], {1: (0, 4), 2: (10, 14)})
    predicted = make_mask(["tumor", "liver"], {2: (0, 4), 1: (10, 14)})
    assert [score.dice for score in score_case(predicted, truth, "one")] == [1, 1]


def test_absent_labels() -> None:
    names = ["a", "b", "c", "d"]
    truth = make_mask(names, {1: (0, 4), 2: (5, 9)})
    predicted = make_mask(names, {1: (0, 4), 3: (12, 15)})
    scores = score_case(predicted, truth, "one")
    assert [score.outcome for score in scores] == ["both", "missed", "falsely_found", "correct_absent"]
    assert [score.dice for score in scores] == [1, 0, None, None]
    assert [score.nsd for score in scores] == [1, 0, None, None]
    false = scores[2]
    assert false.false_ml == false.predicted_ml == pytest.approx(3 * 16 * 0.2)
    assert false.false_found == 1


def test_other_grids_and_labels_are_refused() -> None:
    truth = make_mask(["tumor"], {1: (0, 4)})
    moved = Grid(GRID.shape, GRID.affine + np.diag([0.1, 0, 0, 0]))
    with pytest.raises(GeometryError, match="prediction of one"):
        score_case(make_mask(["tumor"], {}, moved), truth, "one")
    with pytest.raises(LabelError, match="expected tumor"):
        score_case(make_mask(["liver"], {}), truth, "one")


def test_methods_must_share_their_cases() -> None:
    with pytest.raises(ValidationError, match="different cases"):
        Scores(methods={"medunet": (make_score("one", 1.0),), "ellipsoid": (make_score("two", 1.0),)})
    with pytest.raises(ValidationError, match="twice"):
        Scores(methods={"medunet": (make_score("one", 1.0), make_score("one", 0.5))})


def test_scores_go_to_disk_and_back(tmp_path: Path) -> None:
    scores = Scores(methods={"medunet": (make_score("one", 0.8), make_score("two", None, truth_ml=0.0))})
    write_record(tmp_path / "scores.json", scores)
    assert read_record(tmp_path / "scores.json", Scores) == scores


def test_what_is_ignored_is_not_scored() -> None:
    truth = make_mask(["tumor"], {1: (0, 4), 9: (4, 20)})
    truth = replace(truth, table=truth.table.model_copy(update={"ignore": 9}))
    predicted = make_mask(["tumor"], {1: (0, 12)})
    (score,) = score_case(predicted, truth, "one")
    assert (score.dice, score.nsd, score.found, score.false_found) == (1, 1, 1, 0)
    assert score.predicted_ml == score.truth_ml
    (elsewhere,) = score_case(make_mask(["tumor"], {1: (8, 12)}), truth, "one")
    assert (elsewhere.outcome, elsewhere.false_found) == ("missed", 0)


def test_what_is_unknown_in_a_case_is_not_scored() -> None:
    names = ["a", "b", "c"]
    truth = replace(make_mask(names, {1: (0, 4)}), unknown=(2,))
    predicted = make_mask(names, {1: (0, 4), 2: (8, 12), 3: (14, 16)})
    scores = score_case(predicted, truth, "one")
    assert [(score.label, score.outcome) for score in scores] == [("a", "both"), ("c", "falsely_found")]
    regions = tuple(Region(name=f"{values}", values=values, value=values[0]) for values in ((1, 3), (2, 1)))
    table = LabelTable.from_names(names).model_copy(update={"regions": regions})
    both = score_case(replace(predicted, table=table), replace(truth, table=table), "one")
    assert [score.label for score in both] == ["(1, 3)"]


def test_a_label_counts_over_the_cases_that_tell_of_it() -> None:
    known = [make_score("one", 0.5), make_score("two", 0.7), make_score("two", 0.9).model_copy(update={"label": "b"})]
    scores = Scores(methods={"medunet": tuple(known)})
    assert [(row.label, row.cases, row.dice) for row in summarize(scores)] == [
        ("tumor", 2, pytest.approx(0.6)),
        ("b", 1, 0.9),
    ]


def test_regions_are_scored_as_unions_of_their_labels() -> None:
    regions = (Region(name="whole", values=(1, 2), value=1), Region(name="core", values=(2,), value=2))
    table = LabelTable.from_names(["rim", "core"]).model_copy(update={"regions": regions})
    truth = replace(make_mask(["rim", "core"], {1: (0, 4), 2: (4, 8)}), table=table)
    predicted = replace(make_mask(["rim", "core"], {1: (0, 6), 2: (6, 8)}), table=table)
    whole, core = score_case(predicted, truth, "one")
    assert (whole.label, whole.dice, core.label) == ("whole", 1, "core")
    assert core.dice == pytest.approx(2 * 2 / 6)
    assert (
        score_case(predicted, replace(truth, voxels=np.zeros_like(truth.voxels)), "one")[0].outcome == "falsely_found"
    )
    with pytest.raises(LabelError, match="its labels are rim, core"):
        score_case(make_mask(["rim", "core"], {}), truth, "one")


def test_objects_are_scored_and_compared_one_by_one() -> None:
    numbers = np.zeros(GRID.shape, np.uint16)
    numbers[2:6, 2:6, 2:6], numbers[6:10, 2:6, 2:6] = 4, 9
    truth = Mask("instances", numbers, GRID, LabelTable.from_names(["cell"], objects=True))
    joined = replace(truth, voxels=(numbers > 0).astype(np.uint16))
    right, one = (score_case(mask, truth, "one")[0] for mask in (truth, joined))
    assert (right.dice, right.precision, right.found, right.missed, right.false_ml) == (1, 1, 2, 0, 0)
    assert (one.dice, one.precision, one.precision_50, one.found) == (1, 0, 0, 0)
    scores = Scores(objects=True, methods={"medunet": (right,), "components": (one,)})
    (pair,) = compare_methods(scores)
    assert pair.mean == 1
    assert [row.precision for row in summarize(scores)] == [1, 0]


def test_labels_may_have_tolerances_of_their_own() -> None:
    truth, predicted = make_mask(["a", "b"], {1: (0, 4), 2: (8, 12)}), make_mask(["a", "b"], {1: (0, 5), 2: (8, 13)})
    a, b = score_case(predicted, truth, "one", 1.0, {"b": 6.0})
    assert a.nsd < b.nsd == 1
    scores = Scores(tolerance_mm=1.0, tolerances_mm={"b": 6.0}, methods={"m": (a, b)})
    assert (scores.find_tolerance("a"), scores.find_tolerance("b")) == (1, 6)


def test_what_is_measured_of_a_label() -> None:
    truth, predicted = make_mask(["a"], {1: (0, 4)}), make_mask(["a"], {1: (1, 9)})
    (score,) = score_case(predicted, truth, "one")
    assert (score.iou, score.sensitivity, score.voxel_precision) == pytest.approx((3 / 9, 3 / 4, 3 / 8))
    assert score.volume_error == pytest.approx(1.0)
    assert score.hd95_mm == pytest.approx(25, abs=5)
    assert (score.found_ml, score.missed_ml, score.lesion_f1) == ((pytest.approx(4 * 16 * 0.2),), (), 1)
    (missed,) = score_case(make_mask(["a"], {}), truth, "one")
    diagonal = np.linalg.norm(np.array([19, 19, 19]) * (5, 5, 8))
    assert (missed.hd95_mm, missed.assd_mm) == (pytest.approx(diagonal), pytest.approx(diagonal))
    assert (missed.iou, missed.sensitivity, missed.voxel_precision, missed.volume_error) == (0, 0, 0, -1)
    (false,) = score_case(truth, make_mask(["a"], {}), "one")
    assert (false.iou, false.hd95_mm, false.volume_error, false.lesion_f1) == (None, None, None, 0)
