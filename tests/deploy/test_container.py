import json
import shutil
from pathlib import Path

import pytest

from medunet.deploy.container import find_work, main
from medunet.deploy.settings import SETTINGS


def test_variables_of_mercure_count_before_those_of_holoscan(tmp_path: Path) -> None:
    found = find_work({})
    assert (str(found.source), str(found.target)) == ("/var/holoscan/input", "/var/holoscan/output")
    assert (found.way, found.list_settings()) == ("variables", {})
    both = {"HOLOSCAN_INPUT_PATH": "/a", "HOLOSCAN_OUTPUT_PATH": "/b", "MEDUNET_FORMATS": "rtstruct, seg"}
    assert find_work(both).list_settings() == {"formats": ("rtstruct", "seg")}
    found = find_work({**both, "MERCURE_IN_DIR": str(tmp_path), "MERCURE_OUT_DIR": "/c"})
    assert (found.source, found.target, found.way) == (tmp_path, Path("/c"), "rule")


def test_settings_of_a_rule_count_before_variables(tmp_path: Path) -> None:
    environment = {"MERCURE_IN_DIR": str(tmp_path), "MEDUNET_FORMATS": "sr", "MEDUNET_PET": "stored"}
    rules = ["ct: thickness<=3", "prefer=thinnest"]
    for given in (rules, "; ".join(rules)):
        settings = {"series_rules": given, "formats": "seg"}
        (tmp_path / "task.json").write_text(json.dumps({"process": {"settings": settings}}))
        wanted = {"series_rules": tuple(rules), "formats": ("seg",), "pet": ("stored",)}
        assert find_work(environment).list_settings() == wanted


def test_a_module_of_mercure_leaves_dicom_and_one_result(
    trained: Path,
    patients: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Files are named as mercure names them, with the tags of each beside it, all in one folder."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number, path in enumerate(sorted((patients[0] / "CT").iterdir())):
        shutil.copy(path, source / f"1.2.3#{number}.dcm")
        (source / f"1.2.3#{number}.tags").write_text("{}")
    (source / "task.json").write_text(json.dumps({"process": {"settings": {}}}))
    monkeypatch.setenv("MERCURE_IN_DIR", str(source))
    monkeypatch.setenv("MERCURE_OUT_DIR", str(out))
    monkeypatch.setenv("HOLOSCAN_MODEL_PATH", str(trained))
    assert main([]) == 0
    assert sorted(path.suffix for path in out.iterdir()) == [".dcm", ".dcm", ".json", ".json"]
    result = json.loads((out / "result.json").read_text())
    assert result["__mercure_notification"] == {"text": result["message"], "requested": True}
    assert capsys.readouterr().out.startswith("medunet: segmented in ")
    (source / "task.json").write_text(json.dumps({"process": {"settings": {"preset": "fast"}}}))
    assert main([]) == 2
    result = json.loads((out / "result.json").read_text())
    assert (result["code"], result["__mercure_notification"]["requested"]) == ("option-wrong", True)


def test_it_shows_and_hands_out_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, variable in (("app", "APP"), ("pkg", "PKG")):
        (tmp_path / f"{name}.json").write_text(f'{{"is": "{name}"}}')
        monkeypatch.setenv(f"HOLOSCAN_{variable}_MANIFEST_PATH", str(tmp_path / f"{name}.json"))
    for name, variable in (("models", "MODEL_PATH"), ("docs", "DOCS"), ("app", "APPLICATION")):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "file").write_text(name)
        monkeypatch.setenv(f"HOLOSCAN_{variable}", str(tmp_path / "in" / name))
    assert main(["show"]) == 0
    assert capsys.readouterr().out == '{"is": "app"}\n{"is": "pkg"}\n'
    assert main(["show", "pkg"]) == 0
    assert capsys.readouterr().out == '{"is": "pkg"}\n'
    assert main(["env"]) == 0
    assert f"HOLOSCAN_DOCS={tmp_path}/in/docs" in capsys.readouterr().out
    assert main(["help"]) == 0
    said = capsys.readouterr().out
    assert "Exit codes: 0" in said
    assert all(name in said and f"MEDUNET_{name.upper()}" in said for name in SETTINGS)
    monkeypatch.setenv("MEDUNET_EXPORT_PATH", str(tmp_path / "out"))
    (tmp_path / "out" / "docs").mkdir(parents=True)
    assert main(["extract"]) == 0
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")) == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["docs"]
    shutil.rmtree(tmp_path / "out")
    assert main(["extract"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"app", "config", "models", "docs"}
    assert {path.name for path in (tmp_path / "out" / "config").iterdir()} == {"app.json", "pkg.json"}
