"""Configurations are walked: targets, expressions, imports and macros, each with its key, line and severity."""

import json
from pathlib import Path
from typing import Any

import pytest

from medunet.bundle.audit.configs import audit_config


def look(tmp_path: Path, config: Any, own: frozenset[str] = frozenset()) -> dict[str, tuple[str, str]]:
    path = tmp_path / "inference.json"
    path.write_text(json.dumps(config, indent=1))
    return {item.place: (item.kind, item.severity) for item in audit_config(path, "configs/inference.json", own)}


@pytest.mark.parametrize(
    ("target", "severity"),
    [
        ("UNet", "note"),
        ("SupervisedEvaluator", "note"),
        ("torch.optim.Adam", "note"),
        ("list", "note"),
        ("scripts.net.Net", "warning"),
        ("os.system", "error"),
        ("builtins.exec", "error"),
        ("exec", "error"),
        ("Unheard", "error"),
        ("monai.bundle.download", "error"),
        ("monai.utils.optional_import", "error"),
    ],
)
def test_targets(tmp_path: Path, target: str, severity: str) -> None:
    found = look(tmp_path, {"network_def": {"_target_": target}})
    assert found == {"network_def::_target_": ("target", severity)}


@pytest.mark.parametrize(
    ("text", "kind", "severity"),
    [
        ("$@a + '/eval'", "expression", "note"),
        ("$[@a, 'b']", "expression", "note"),
        ("$lambda x: x + 1", "expression", "warning"),
        ("$sorted(glob.glob(@a))", "expression", "warning"),
        ("$__import__('os').system('x')", "expression", "error"),
        ("$(", "expression", "error"),
        ("$import glob", "import", "note"),
        ("$import scripts.net", "import", "warning"),
        ("$import subprocess", "import", "error"),
        ("$from os import system", "import", "error"),
        ("%other.json#a", "macro", "warning"),
        ("%../other.json#a", "macro", "error"),
        ("%a", "macro", "note"),
    ],
)
def test_texts(tmp_path: Path, text: str, kind: str, severity: str) -> None:
    assert look(tmp_path, {"a": "x", "b": [text]}) == {"b::0": (kind, severity)}


@pytest.mark.parametrize(("reader", "severity"), [("ITKReader", "note"), ("evil.module.Reader", "warning")])
def test_readers_that_a_step_imports(tmp_path: Path, reader: str, severity: str) -> None:
    found = look(tmp_path, {"steps": [{"_target_": "LoadImaged", "keys": ["image"], "reader": reader}]})
    assert found == {"steps::0::_target_": ("target", severity)}


def test_references_and_words_run_nothing(tmp_path: Path) -> None:
    assert look(tmp_path, {"a": "@b", "b": "costs 5 $", "c": {"_target_": "UNet"}}).keys() == {"c::_target_"}


def test_what_medunet_writes_itself_is_known_but_never_hides_a_danger(tmp_path: Path) -> None:
    harmless, bad = "$lambda x: x", "$os.system('x')"
    found = look(tmp_path, {"a": harmless, "b": bad}, frozenset({harmless, bad}))
    assert found == {"a": ("expression", "note"), "b": ("expression", "error")}


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{\n"a": "$f(\\"ä\\")",\n"b": "$g()",\n"c": "$g()"\n}', encoding="utf-8")
    assert [item.line for item in audit_config(path, "a.json", frozenset())] == [2, 3, 4]


def test_yaml_that_makes_objects_and_json_with_twins_cannot_be_read(tmp_path: Path) -> None:
    for name, text in {"a.yaml": "a: !!python/object/apply:os.system ['x']", "b.json": '{"a": 1, "a": 2}'}.items():
        (tmp_path / name).write_text(text)
        (found,) = audit_config(tmp_path / name, name, frozenset())
        assert (found.kind, found.severity) == ("unreadable", "error")
