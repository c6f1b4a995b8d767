import json
import re
import sys
from pathlib import Path

import pytest
from demo_ct import main
from zoo import SCALE, UNET, oriented, patches, write_scan, write_threshold_weights, write_zoo_bundle

from medunet.testing.phantoms import PhantomSize

BONE = {**SCALE, "a_min": 100, "a_max": 1500}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that takes all bright bone for the mandible."""
    chain = [step for step in oriented((8.0, 8.0, 6.0)) if step["_target_"] != SCALE["_target_"]]
    folder = tmp_path_factory.mktemp("zoo") / "bone"
    write_zoo_bundle(folder, UNET, [*chain[:-1], BONE, chain[-1]], inferer=patches(48))
    write_threshold_weights(folder)
    return folder


def rename(bundle: Path, label: str) -> None:
    path = bundle / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["network_data_format"]["outputs"]["pred"]["channel_def"] = {"0": "background", "1": label}
    path.write_text(json.dumps(metadata))


def run(monkeypatch: pytest.MonkeyPatch, *options: object) -> int:
    monkeypatch.setattr(sys, "argv", ["demo_ct.py", *map(str, options)])
    return main()


def list_files(said: str) -> dict[str, Path]:
    return {name: Path(path) for name, path in re.findall(r"^(mask|measures|picture|page): (.+)$", said, re.MULTILINE)}


def test_what_was_drawn_is_scored(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo_ct.SIZE", PhantomSize((64, 64, 54), (7.8, 7.8, 5.0)))
    rename(bundle, "mandible")
    assert run(monkeypatch, tmp_path / "out", "--bundle", bundle) == 0
    said = capsys.readouterr().out
    drawn, found, dice = map(float, re.findall(r"^mandible +([\d.]+) +([\d.]+) +([\d.]+)$", said, re.MULTILINE)[0])
    assert 40 < drawn < 90
    assert found > drawn, "the skull is bright, too"
    assert 0.03 < dice < 0.5
    files = list_files(said)
    assert list(files) == ["mask", "measures", "picture", "page"]
    assert all(path.stat().st_size for path in files.values())
    assert files["page"] == tmp_path / "out" / "evaluation" / "report.html"
    assert run(monkeypatch, tmp_path / "out", "--bundle", bundle) == 2
    assert "out" in capsys.readouterr().err


def test_a_scan_of_the_user_gets_a_page_without_a_truth(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(bundle, "anything")
    scan, out = write_scan(tmp_path / "scan.nii.gz"), tmp_path / "out"
    assert run(monkeypatch, out, "--bundle", bundle, "--scan", scan) == 0
    said = capsys.readouterr().out
    assert re.search(r"^anything +[\d.]+$", said, re.MULTILINE)
    assert "Dice" not in said
    assert list_files(said)["page"] == out / "masks" / "scan.page.html"
    assert not (out / "truth").exists()


def test_a_folder_with_the_scan_is_not_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = write_scan(tmp_path / "scan.nii.gz")
    assert run(monkeypatch, tmp_path, "--bundle", "any", "--scan", scan, "--again") == 2
    assert "it lies in" in capsys.readouterr().err
    assert scan.is_file()


def test_a_bundle_that_does_not_come_with_medunet_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = write_scan(tmp_path / "scan.nii.gz")
    assert run(monkeypatch, tmp_path / "out", "--bundle", "no_such_bundle", "--scan", scan) == 2
    assert "no_such_bundle" in capsys.readouterr().err
