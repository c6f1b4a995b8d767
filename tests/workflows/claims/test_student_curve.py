from pathlib import Path

import pytest
import student_curve

from medunet.evaluation import CaseScore, Scores


def score(values: dict[str, dict[str, float | None]]) -> Scores:
    """Dice of each case, by label."""
    rows = [
        CaseScore(
            case=case,
            label=label,
            dice=dice,
            nsd=None,
            nsd_voxels=None,
            truth_ml=0.0 if dice is None else 1.0,
            predicted_ml=1.0,
            found=1,
            missed=0,
            false_found=0,
            false_ml=0.0,
        )
        for label, own in values.items()
        for case, dice in own.items()
    ]
    return Scores(unit="mm", objects=False, methods={"medunet": tuple(rows)})


def test_rows_hold_paired_differences_of_each_label_and_of_their_mean() -> None:
    old = [score({"a": {"p": 0.8, "q": 0.6}, "b": {"p": 0.4, "q": None}}), score({"a": {"r": 0.5}, "b": {"r": 0.5}})]
    new = [score({"a": {"p": 0.7, "q": 0.7}, "b": {"p": 0.2, "q": None}}), score({"a": {"r": 0.4}, "b": {"r": 0.6}})]
    rows = student_curve.list_rows(["s"], "all", old, new)
    assert [row[:6] for row in rows] == [
        ["s", "all", "a", "3", "0.633", "0.600"],
        ["s", "all", "b", "2", "0.450", "0.400"],
        ["s", "all", "mean of a case", "3", "0.567", "0.550"],
    ]
    assert rows[0][6].startswith("-0.033 (-0.100 to +0.100), better in 1 of 3")
    assert rows[2][6].startswith("-0.017 (-0.150 to +0.100), better in 1 of 3")


@pytest.mark.slow
def test_a_curve_of_two_times(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["student_curve", str(trained), str(tmp_path / "curve"), "--seconds", "0.001", "60", "--budget", "3s"]
    monkeypatch.setattr("sys.argv", [*command, "--scan", "48x40x24", "--spacing", "7x7x8"])
    assert student_curve.main() == 0
    shown = capsys.readouterr().out.splitlines()
    assert "the smallest network" in shown[2]
    assert " | 0 | lesion | " in shown[3]
    assert student_curve.main() == 0
    assert capsys.readouterr().out.splitlines()[3] == shown[3]
