import json
import shutil
from pathlib import Path

import pytest
from commands import run
from pydicom import dcmread

from medunet.cli.series import make_choosing


def test_what_is_not_given_is_no_argument() -> None:
    assert make_choosing() == {}
    assert make_choosing(["plane=axial"], True) == {"series_rules": ["plane=axial"], "each_series": True}


@pytest.fixture
def double(patients: list[Path], tmp_path: Path) -> Path:
    """A patient with two CT series, of which one is called a lung."""
    folder = tmp_path / "p"
    shutil.copytree(patients[0] / "CT", folder / "CT")
    shutil.copytree(patients[0] / "CT", folder / "again")
    for path in (folder / "again").iterdir():
        dataset = dcmread(path)
        dataset.SeriesInstanceUID += ".1"
        dataset.SOPInstanceUID += ".1"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.SeriesDescription, dataset.SeriesNumber = "lung", 9
        dataset.save_as(path)
    return folder


def test_rules_choose_among_series(
    trained: Path,
    double: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, "predict", trained, double, "-o", out) == 2
    assert "2 series are CT" in capsys.readouterr().err
    assert run(monkeypatch, "predict", trained, double, "-o", out, "--series-rule", "description!~lung") == 0
    assert Path(json.loads((out / "p.json").read_text())["images"]["ct"]["path"]).name == "CT"
    assert run(monkeypatch, "predict", trained, double, "-o", out, "--each-series") == 0
    assert {path.name for path in out.glob("p_s*.nii.gz")} >= {"p_s9.nii.gz"}
    assert len(list(out.glob("p_s*.nii.gz"))) == 2
    assert run(monkeypatch, "predict", trained, double, "-o", out, "--series-rule", "thick<3") == 2
    capsys.readouterr()
    assert run(monkeypatch, "predict", trained, double, "-o", out, "--each-series", "--series", "1.2") == 2
    assert "--each-series: --series names one of them" in capsys.readouterr().err
    assert run(monkeypatch, "check", double, "--series-rule", "plane=axial") == 2
    capsys.readouterr()
    assert run(monkeypatch, "check", double, "--bundle", trained, "--series-rule", "description~^lung$") == 0
