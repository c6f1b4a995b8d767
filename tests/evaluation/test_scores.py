from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from medunet.errors import GeometryError, LabelError
from medunet.evaluation.scores import CaseScore, Scores, compare_methods, score_case, summarize
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
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


def test_summary_means_over_holding_cases_and_counts_the_rest() -> None:
    ours = (
        make_score("one", 0.8),
        make_score("two", 0.0, predicted_ml=0.0, found=0, missed=2),
        make_score("three", None, truth_ml=0.0, predicted_ml=3.0, found=0, false_found=2, false_ml=3.0),
        make_score("four", None, truth_ml=0.0, predicted_ml=0.0, found=0),
    )
    (row,) = summarize(Scores(methods={"medunet": ours}))
    assert row.dice == pytest.approx(0.4)
    assert (row.cases, row.holding) == (4, 2)
    assert (row.missed_cases, row.falsely_found_cases, row.correct_absent_cases) == (1, 1, 1)
    assert (row.found, row.missed, row.false_found, row.false_ml) == (1, 2, 2, 3)
    assert (row.truth_ml, row.predicted_ml) == (10, 7)


def test_summary_without_any_case_that_holds_the_label() -> None:
    absent = make_score("one", None, truth_ml=0.0, predicted_ml=0.0)
    scores = Scores(methods={"medunet": (absent,), "ellipsoid": (absent,)})
    assert [row.dice for row in summarize(scores)] == [None, None]
    assert compare_methods(scores) == []


def test_methods_are_compared_case_by_case() -> None:
    scores = Scores(
        methods={
            "medunet": (make_score("one", 0.8), make_score("two", 0.5), make_score("three", 0.9)),
            "ellipsoid": (make_score("three", 0.4), make_score("one", 0.6), make_score("two", 0.6)),
        }
    )
    (row,) = compare_methods(scores)
    assert (row.method, row.cases, row.better) == ("ellipsoid", 3, 2)
    assert row.mean == pytest.approx(0.2)
    assert (row.lowest, row.highest) == (pytest.approx(-0.1), pytest.approx(0.5))
    assert [row.method for row in summarize(scores)] == ["medunet", "ellipsoid"]


def test_methods_must_share_their_cases() -> None:
    with pytest.raises(ValidationError, match="different cases"):
        Scores(methods={"medunet": (make_score("one", 1.0),), "ellipsoid": (make_score("two", 1.0),)})
    with pytest.raises(ValidationError, match="twice"):
        Scores(methods={"medunet": (make_score("one", 1.0), make_score("one", 0.5))})


def test_scores_go_to_disk_and_back(tmp_path: Path) -> None:
    scores = Scores(methods={"medunet": (make_score("one", 0.8), make_score("two", None, truth_ml=0.0))})
    write_record(tmp_path / "scores.json", scores)
    assert read_record(tmp_path / "scores.json", Scores) == scores


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
