"""All of a bundle is looked into, and nothing of it runs."""

import json
import sys
from pathlib import Path

import pytest
import torch
from evil import Evil
from zoo import write_random_weights, write_zoo_bundle

from medunet.bundle.audit import audit_bundle
from medunet.errors import MissingInputError
from medunet.training import CONFIGS

SHIPPED = sorted((Path(__file__).parents[3] / "bundles").iterdir())


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_runs_nothing_but_what_medunet_writes(folder: Path) -> None:
    audit = audit_bundle(folder, CONFIGS)
    assert audit.count()["error"] == audit.count()["warning"] == 0
    assert audit.count()["note"] > 100


def test_one_of_the_zoo_with_everything_that_runs(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b", bad=f"$__import__('os').system('touch {tmp_path}/ran')")
    write_random_weights(folder)
    (folder / "scripts").mkdir()
    (folder / "scripts" / "evil_script.py").write_text(f"open('{tmp_path}/ran', 'w')")
    (folder / "configs" / "metadata.json").write_text(json.dumps({"a": "$import scripts.evil_script"}))
    (folder / "configs" / "logging.conf").write_text("[handler_h]\nclass=FileHandler\nargs=('x.log',)\n")
    (folder / "large_files.yml").write_text("large_files:\n- path: models/model.ts\n  url: https://a.example/m\n")
    (folder / "link.json").symlink_to(tmp_path / "elsewhere.json")
    torch.save({"a": Evil(f"touch {tmp_path}/ran")}, folder / "models" / "other.pt")
    audit = audit_bundle(folder)
    found = {(item.kind, item.severity, item.file) for item in audit.entries}
    assert found >= {
        ("expression", "error", "configs/inference.json"),
        ("import", "warning", "configs/metadata.json"),
        ("script", "warning", "scripts/evil_script.py"),
        ("script", "error", "scripts/evil_script.py"),
        ("logging", "warning", "configs/logging.conf"),
        ("download", "error", "large_files.yml"),
        ("unreadable", "error", "link.json"),
        ("pickle", "error", "models/other.pt"),
        ("pickle", "note", "models/model.pt"),
    }
    assert not (tmp_path / "ran").exists()
    assert "scripts.evil_script" not in sys.modules


def test_errors_stand_first(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b", bad="$exec('x')", good="$lambda x: x")
    order = [item.severity for item in audit_bundle(folder).entries]
    assert order == sorted(order, key=("error", "warning", "note").index)


def test_what_is_too_deep_is_an_error_and_others_go_on(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b")
    (folder / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    audit = audit_bundle(folder)
    assert [item.file for item in audit.entries if item.kind == "unreadable"] == ["deep.json"]
    assert any(item.file == "configs/inference.json" for item in audit.entries)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="there is no such folder"):
        audit_bundle(tmp_path / "none")
