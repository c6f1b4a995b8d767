"""`medunet bundle`: tables on the screen, files for machines, exit codes."""

import json
import shutil
from pathlib import Path

import pytest
from commands import run
from plans import make_test_plan, write_test_bundle

NUCLEI = Path(__file__).parents[2] / "bundles" / "nuclei_unet2d"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / NUCLEI.name))
    shutil.rmtree(folder / "docs" / "selftest")
    return folder


def test_an_audit_says_what_would_run(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "bundle", "audit", bundle) == 0
    assert capsys.readouterr().out.startswith("0 errors, 0 warnings, ")
    (bundle / "scripts").mkdir()
    for number in range(7):
        (bundle / "scripts" / f"a{number}.py").write_text("import os\nos.system('x')\n")
    files = ("--json", tmp_path / "a.json", "--sarif", tmp_path / "a.sarif")
    assert run(monkeypatch, "bundle", "audit", bundle, *files) == 2
    said = capsys.readouterr().out
    assert "error    script       it starts another program\n    scripts/a0.py:2 os.system: os.system\n" in said
    assert "… and 2 more, which --all lists" in said
    assert len(json.loads((tmp_path / "a.sarif").read_text())["runs"][0]["results"]) > 14
    assert json.loads((tmp_path / "a.json").read_text())["bundle"] == "nuclei_unet2d"
    assert run(monkeypatch, "bundle", "audit", bundle, "--all") == 2
    assert "DynUNet" in capsys.readouterr().out
    assert run(monkeypatch, "bundle", "audit", tmp_path / "none") == 2
    assert (
        capsys.readouterr().err
        == f"medunet: {tmp_path / 'none'}: there is no such folder; name the folder of a bundle.\n"
    )


def test_a_check_says_what_is_wrong(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "bundle", "check", bundle, "--json", tmp_path / "c.json") == 0
    assert "warning  bundle-selftest" in capsys.readouterr().out
    found = json.loads((tmp_path / "c.json").read_text())
    assert found["counts"]["error"] == 0
    (bundle / "LICENSE").unlink()
    assert run(monkeypatch, "bundle", "check", bundle) == 2
    assert "    LICENSE: there is no licence" in capsys.readouterr().out


def test_an_export_says_what_it_wrote(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "bundle", "export", bundle, "-o", tmp_path / "x", "--to", "torchscript") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"wrote {tmp_path}/x/model.ts and model.ts.json: logits differ from PyTorch's by at most")
    assert run(monkeypatch, "bundle", "export", bundle, "-o", tmp_path / "x", "--to", "onxx") == 2
    assert "did you mean 'onnx'" in capsys.readouterr().err
    assert run(monkeypatch, "bundle", "export", bundle) == 2
    assert "no format is given" in capsys.readouterr().err


def test_a_list_tells_name_scores_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "bundle", "list", "--json", "bundles.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * len(list(NUCLEI.parent.iterdir()))
    assert lines[0].startswith("nuclei_unet2d 0.1.1: Segmentation of nuclei")
    assert "image → object; AP 0.559 (0.5" in lines[1]
    assert lines[1].endswith(" s a case on two cores, 10 MB")
    assert lines[2].strip() == str(NUCLEI)
    kept = json.loads(Path("bundles.json").read_text())["bundles"]
    assert kept[0]["score"]["mean"] == pytest.approx(0.559, abs=1e-3)
    assert run(monkeypatch, "bundle", "check", "nuclei_unet2d") == 0
    assert str(NUCLEI) not in capsys.readouterr().err


def test_a_card_names_what_only_a_person_can_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_test_bundle(tmp_path / "bundle", make_test_plan())
    assert run(monkeypatch, "bundle", "card", folder) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"card: {folder / 'docs' / 'README.md'}\nonly a person can say (")
    assert "users, indications, workflow" in said
    keys = json.loads((folder / "docs" / "card.json").read_text())
    (folder / "docs" / "card.json").write_text(json.dumps(dict.fromkeys(keys, "said")))
    assert run(monkeypatch, "bundle", "card", folder, "--pictures") == 0
    assert capsys.readouterr().out == f"card: {folder / 'docs' / 'README.md'}\n"
