from pathlib import Path

import pytest
from commands import run

from medunet.bundle import open_bundle

SIZE = ("--scan", "48x40x24", "--spacing", "7x7x8")


def test_a_student_is_made_trained_and_goes_on_as_any_bundle(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, "distill", trained, out, "--seconds", 60, *SIZE, "--budget", "2s") == 0
    shown = capsys.readouterr()
    assert "teacher" in shown.out
    assert "next: medunet evaluate" in shown.out
    assert "one network of the teacher" in shown.err
    bundle = open_bundle(out)
    assert bundle.trained().fold == 0
    assert len(list((out / "work" / "teaching" / "fold0").iterdir())) == bundle.trained().cases
    assert run(monkeypatch, "train", out, "--fold", 1) == 2
    assert "the teacher has no network of this fold, only of 0" in capsys.readouterr().err
    case = bundle.cohort().cases[0].channels["ct"].path
    assert run(monkeypatch, "predict", out, case, "-o", tmp_path / "masks") == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--seconds", 60, "--scan", "48x40", "--spacing", "7x7x8"), "--scan 48x40: it is no three numbers"),
        (("--seconds", 0, *SIZE), "seconds"),
        (("--seconds", 60, *SIZE, "--fold", 3), "no network of this fold"),
        (("--seconds", 60, *SIZE, "--fold", "x"), "it is no fold"),
        (("--seconds", 60, *SIZE, "--unlabelled", ""), "a path is empty"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[object, ...],
    said: str,
) -> None:
    assert run(monkeypatch, "distill", trained, tmp_path / "out", *options) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()
