from pathlib import Path

import numpy as np
import pytest

from medunet.errors import GeometryError
from medunet.evaluation import CaseMasks, CaseScore, Naming, Scores, Wanted, find_pairs, score_pairs, summarize
from medunet.geometry import Grid
from medunet.reading import Source, Volume
from medunet.saving import save_volume

GRID = Grid((12, 12, 8), np.diag([1.0, 1.0, 2.0, 1.0]))


def save(path: Path, values: dict[int, tuple[int, int]], grid: Grid = GRID) -> None:
    voxels = np.zeros(grid.shape, np.uint8)
    for value, (start, stop) in values.items():
        voxels[start:stop, 2:8, 2:6] = value
    path.parent.mkdir(exist_ok=True)
    save_volume(Volume(voxels[None], grid, Source(path="")), path)


def score(folder: Path, wanted: Wanted | None = None) -> tuple[Scores, list[str]]:
    looked: list[str] = []

    def look(case: str, masks: CaseMasks, scores: tuple[CaseScore, ...]) -> None:
        looked.append(case)
        assert masks.parts
        assert {item.case for item in scores} <= {case}

    return score_pairs(find_pairs(folder / "p", folder / "t"), wanted or Wanted(), look), looked


def test_missing_unpaired_and_refused(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "healthy"):
        save(tmp_path / "t" / f"{name}.nii.gz", {1: (0, 4)} if name != "healthy" else {})
    save(tmp_path / "p" / "a.nii.gz", {1: (0, 4)})
    save(tmp_path / "p" / "c.nii.gz", {1: (0, 4)}, Grid(GRID.shape, np.diag([1.0, 1.0, 3.0, 1.0])))
    save(tmp_path / "p" / "z.nii.gz", {})
    scores, looked = score(tmp_path)
    assert looked == ["a", "b", "healthy"]
    pairing = scores.pairing
    assert (pairing.missing, pairing.unpaired) == (("b", "healthy"), ("z",))
    assert [(item.case, item.code) for item in pairing.refused] == [("c", "label-grid")]
    assert "1 × 1 × 3 mm are not those of its truth, of 1 × 1 × 2 mm" in pairing.refused[0].reason
    (row,) = summarize(scores)
    # The mean is over both that hold the label; nothing is rightly empty that nobody predicted.
    assert (row.dice, row.holding, row.cases, row.missed_cases, row.correct_absent_cases) == (0.5, 2, 3, 1, 0)


def test_nothing_to_score_is_the_first_reason(tmp_path: Path) -> None:
    save(tmp_path / "t" / "a.nii.gz", {1: (0, 4)})
    save(tmp_path / "p" / "a.nii.gz", {1: (0, 4)}, Grid(GRID.shape, np.diag([1.0, 1.0, 3.0, 1.0])))
    with pytest.raises(GeometryError, match="p/a"):
        score(tmp_path)


def test_cases_without_a_value_of_others_lack_that_label(tmp_path: Path) -> None:
    save(tmp_path / "t" / "a.nii.gz", {1: (0, 4), 2: (5, 7)})
    save(tmp_path / "t" / "b.nii.gz", {1: (0, 4)})
    for name in "ab":
        save(tmp_path / "p" / f"{name}.nii.gz", {1: (0, 4)})
    rows = {row.label: row for row in summarize(score(tmp_path)[0])}
    assert (rows["2"].cases, rows["2"].holding, rows["2"].correct_absent_cases) == (2, 1, 1)
    assert rows["2"].few


def test_labels_without_names_are_in_the_order_of_their_values(tmp_path: Path) -> None:
    save(tmp_path / "t" / "a.nii.gz", {10: (0, 2), 2: (5, 7)})
    save(tmp_path / "t" / "b.nii.gz", {9: (0, 4), 2: (5, 7)})
    for name in "ab":
        save(tmp_path / "p" / f"{name}.nii.gz", {2: (0, 4)})
    assert score(tmp_path)[0].labels == ("2", "9", "10")


def test_tolerances_of_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "t" / "a.nii.gz", {1: (0, 4)})
    save(tmp_path / "p" / "a.nii.gz", {1: (0, 7)})
    named = Naming({1: "Liver"})
    low, high = (score(tmp_path, Wanted(named, named, 1.0, {"liver": value, "lung": 3.0}))[0] for value in (2.9, 3.0))
    assert low.of_first()[0].nsd < high.of_first()[0].nsd == 1
    assert (high.tolerance_mm, high.tolerances_mm) == (1.0, {"Liver": 3.0})
    assert "no label is called so" in caplog.text


def test_what_does_not_count_is_told_once(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / "t" / f"{name}.nii.gz", {1: (0, 4)})
        save(tmp_path / "p" / f"{name}.nii.gz", {1: (0, 4), 5: (6, 7)})
    named = Naming({1: "liver"})
    scores, _ = score(tmp_path, Wanted(named, named))
    assert scores.pairing.left_out == ("values 5 of predictions, in 2 cases",)
    assert scores.pairing.is_whole


def test_labels_that_nobody_looked_for_are_not_scored(tmp_path: Path) -> None:
    for name, held in (("a", {1: (0, 4), 2: (5, 7)}), ("b", {1: (0, 4)})):
        save(tmp_path / "t" / f"{name}.nii.gz", held)
        save(tmp_path / "p" / f"{name}.nii.gz", {1: (0, 4), 2: (5, 7)})
    named = Naming({1: "liver", 2: "tumor"})
    absent, unknown = (score(tmp_path, Wanted(named, named, missing=word))[0] for word in ("absent", "unknown"))
    assert [(item.case, item.label, item.false_found) for item in absent.of_first()][-1] == ("b", "tumor", 1)
    assert [(item.case, item.label) for item in unknown.of_first()] == [("a", "liver"), ("a", "tumor"), ("b", "liver")]
    assert unknown.pairing.left_out == ("tumor, which nobody looked for, in 1 case",)
    # Nor are values that nobody named, unless a table says that they were looked for.
    values = score(tmp_path, Wanted(missing="unknown"))[0]
    assert [(item.case, item.label) for item in values.of_first()] == [("a", "1"), ("a", "2"), ("b", "1")]
    (tmp_path / "table.csv").write_text("case,contoured\nb,1 2\n")
    pairs = find_pairs(tmp_path / "p", tmp_path / "t", None, tmp_path / "table.csv")
    told = score_pairs(pairs, Wanted(missing="unknown"), lambda *_: None)
    assert [(item.case, item.label, item.false_found) for item in told.of_first()][-1] == ("b", "2", 1)
    assert told.pairing.columns == {}
