import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import run

from medunet.geometry import Grid
from medunet.reading import Source, Volume
from medunet.saving import save_volume


def test_evaluate_prints_the_table_and_where_the_page_lies(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "evaluate", trained, "-o", tmp_path / "e") == 0
    shown = capsys.readouterr().out
    assert "threshold" in shown
    assert str(tmp_path / "e" / "report.html") in shown
    assert run(monkeypatch, "evaluate", trained, "-o", tmp_path / "e") == 2


def test_an_earlier_evaluation_of_a_bundle_is_kept(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = shutil.copytree(trained, tmp_path / "bundle")
    for _ in range(2):
        assert run(monkeypatch, "evaluate", bundle) == 0
    kept, last = sorted((bundle / "work").glob("evaluation*"), key=lambda path: -len(path.name))
    assert (last / "scores.json").read_bytes() == (kept / "scores.json").read_bytes()
    assert f"evaluation of before is kept as {kept.name}" in capsys.readouterr().err


def test_a_bundle_is_calibrated_and_its_page_shows_it(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = shutil.copytree(trained, tmp_path / "bundle")
    assert run(monkeypatch, "evaluate", bundle, "--calibrate", "-o", tmp_path / "e") == 0
    said = capsys.readouterr()
    assert "by 1 held-out case; ECE of voxels: lesion" in said.err
    page = (tmp_path / "e" / "report.html").read_text()
    assert "<h2>Probabilities</h2>" in page
    assert "<h2>Trust</h2>" in page
    assert (bundle / "docs" / "calibration.json").is_file()
    assert run(monkeypatch, "evaluate", "--calibrate") == 2
    assert "--calibrate: it is of a bundle, and none is named" in capsys.readouterr().err


@pytest.fixture
def masks(tmp_path: Path) -> tuple[object, ...]:
    """Options that name two folders: a prediction that is right, and one that is missing."""
    voxels = np.zeros((12, 12, 8), np.uint8)
    voxels[2:6, 2:8, 2:6], voxels[8:10, 2:8, 2:6] = 1, 2
    for path in ("p/a.nii.gz", "t/a.nii.gz", "t/b.nii.gz"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        save_volume(Volume(voxels[None], Grid(voxels.shape, np.eye(4)), Source(path="")), tmp_path / path)
    return "evaluate", "--pred", tmp_path / "p", "--truth", tmp_path / "t"


def test_masks_are_scored_without_a_bundle(
    masks: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--labels", "1=liver,2=tumor", "--tolerance", "tumor=1")
    assert run(monkeypatch, *masks, *options, "-o", tmp_path / "e") == 2
    said = capsys.readouterr()
    assert "liver        prediction     2/2  0.500" in said.out
    assert "no prediction, counted as missed (1): b" in said.out
    assert str(tmp_path / "e" / "scores.csv") in said.out
    (tmp_path / "t" / "b.nii.gz").unlink()
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *masks, *options) == 0
    assert (tmp_path / "evaluation" / "report.html").is_file()
    assert run(monkeypatch, *masks, *options) == 2
    assert "it exists already" in capsys.readouterr().err
    assert run(monkeypatch, *masks, "--missing", "unknown", "--full", "-o", tmp_path / "f") == 0
    assert (tmp_path / "f" / "report.html").is_file()
    assert run(monkeypatch, *masks, "--objects", "-o", tmp_path / "o") == 0
    assert "AP 0.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--labels", "1=a,1=b"), "each value above 0 and once"),
        (("--labels", "1=a,2=a"), "two values have one name"),
        (("--labels", "a=1"), "write it like 1=liver,2=tumor"),
        (("--tolerance", "a"), "write it like 2 or liver=3,tumor=1"),
        (("--tolerance", "1,a=2"), "name a label for each"),
        (("--tolerance", "-1"), "it is no distance"),
        (("--objects", "--labels", "a,b"), "--labels names 2, and objects are all of one label"),
        (("--trust",), "--trust: it is of a bundle, and none is named"),
        (("--images", ""), "a path is empty"),
        (("--images", "nowhere"), "nowhere: there is no such folder"),
    ],
)
def test_wrong_options_are_refused(
    given: tuple[str, ...],
    sentence: str,
    masks: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *masks, *given) == 2
    assert sentence in capsys.readouterr().err


def test_options_of_masks_are_none_of_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "evaluate", tmp_path, "--pred-labels", "1=a") == 2
    assert "--pred-labels: it is of masks without a bundle" in capsys.readouterr().err
    assert run(monkeypatch, "evaluate") == 2
    assert "give --pred and --truth, or --table" in capsys.readouterr().err
