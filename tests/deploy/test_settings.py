import ast
import json
import re
from pathlib import Path

import pytest

from medunet.deploy.settings import SETTINGS, list_variables, name_variable, read_task, reword, split_settings
from medunet.errors import InputError

PACKAGE = Path(__file__).parents[2] / "medunet"
RUN = (
    *sorted((PACKAGE / "reading" / "dicom").glob("*.py")),
    *(PACKAGE / "inference" / f"{name}.py" for name in ("scans", "memory", "predict", "outputs", "likeness")),
    *(PACKAGE / "writing" / f"{name}.py" for name in ("formats", "seg", "sources", "sr", "rtstruct")),
    PACKAGE / "bundle" / "series.py",
)
"""Modules whose messages a scan in a deployed program can come to."""
ELSEWHERE = {"--image X", "add --image X=PATH", "name each channel with --image NAME=PATH"}
"""Beginnings of messages about paths of single channels, which such a program isn't given."""


def list_messages() -> list[str]:
    """Texts of these modules that name an option of `medunet predict`, with X for what is filled in."""
    found = []
    for path in RUN:
        tree = ast.parse(path.read_text())
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(getattr(part, "value", "")) if isinstance(part, ast.Constant) else "X"
                                     for part in node.values))  # fmt: skip
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                found.append(node.value)
    return [text for text in found if re.search(r"--[a-z]", text) and "\n" not in text]


def test_messages_name_only_what_the_program_has() -> None:
    messages = [text for text in list_messages() if not any(text.startswith(start) for start in ELSEWHERE)]
    assert len(messages) > 10
    options = {setting.option for setting in SETTINGS.values()}
    for text in messages:
        assert set(re.findall(r"--[a-z-]+", reword(text, "options"))) <= options, text
        for way in ("variables", "rule"):
            assert "--" not in reword(text, way), text
        assert reword(text, "variables").strip()


@pytest.mark.parametrize(
    ("text", "options", "variables", "rule"),
    [
        (
            "p: 2 series are CT; name one with --series ct=UID, or its folder with --image ct=FOLDER:\n  a\n  b",
            "p: 2 series are CT; name one with --series ct=UID:\n  a\n  b",
            "p: 2 series are CT; name one with MEDUNET_SERIES ct=UID:\n  a\n  b",
            "p: 2 series are CT; name one with setting series ct=UID:\n  a\n  b",
        ),
        (
            "p: it takes 9 GiB; predict it with more memory (--ram), or by boxes (--box).",
            *(["p: it takes 9 GiB; predict it with more memory."] * 3),
        ),
        (
            'choose one with --phase, or as "phase" in a cohort.json: 1, 2',
            "choose one with --phase: 1, 2",
            "choose one with MEDUNET_PHASE: 1, 2",
            "choose one with setting phase: 1, 2",
        ),
        (
            "take the values as they are stored (--pet stored).",
            "take the values as they are stored (--pet stored).",
            "take the values as they are stored (MEDUNET_PET stored).",
            "take the values as they are stored (setting pet stored).",
        ),
    ],
)
def test_options_are_said_in_words_of_the_program(text: str, options: str, variables: str, rule: str) -> None:
    assert [reword(text, way) for way in ("options", "variables", "rule")] == [options, variables, rule]


def test_texts_and_lists_become_values() -> None:
    given = {"formats": "seg, sr", "series_rules": ["ct: thickness<=3", " plane=axial; "], "pet": "", "phase": " "}
    assert split_settings(given) == {"formats": ("seg", "sr"), "series_rules": ("ct: thickness<=3", "plane=axial")}
    assert split_settings({"assume_rescale": "ct=1,-1024"}) == {"assume_rescale": ("ct=1,-1024",)}
    environment = {name_variable(name): name for name in SETTINGS} | {"MEDUNET_OTHER": "1", "MEDUNET_PET": ""}
    assert list_variables(environment) == {name: name for name in SETTINGS if name != "pet"}


def test_what_a_rule_of_mercure_sets_is_taken_or_named(tmp_path: Path) -> None:
    task = tmp_path / "task.json"
    assert read_task(task) == {}
    for text in ("{}", '{"process": null}', '{"process": {"settings": null}}'):
        task.write_text(text)
        assert read_task(task) == {}
    task.write_text(json.dumps({"id": "1", "process": {"module_name": "m", "settings": {"formats": "seg"}}}))
    assert read_task(task) == {"formats": "seg"}
    task.write_text(json.dumps({"process": {"settings": {"format": "seg"}}}))
    with pytest.raises(InputError, match="did you mean 'formats'"):
        read_task(task)
    for text in ("{", '{"process": {"settings": 3}}', "[]"):
        task.write_text(text)
        with pytest.raises(InputError, match="isn't a task of mercure"):
            read_task(task)
