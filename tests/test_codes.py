"""The table of codes, and that each code which is given stands there and is given somewhere."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.main import get_command

import medunet
from medunet import errors
from medunet.cli.app import app
from medunet.codes import CODES, COHORTS, COMMANDS, FILES, Code

PACKAGE = Path(medunet.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "codes.py")
CHECKED = [
    *sorted((PACKAGE / "reading").rglob("*.py")),
    *sorted((PACKAGE / "cohort").rglob("*.py")),
    *(PACKAGE / name for name in ("geometry.py", "labels.py")),
]
"""Modules whose refusals `check` tells of."""
ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.MedunetError)
}
GIVING = ("Note", "warn", "remark", "make_finding")
"""Functions whose first argument is a code."""


def name_call(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def find_code(node: ast.Call) -> ast.expr | None:
    """What a call gives as its code."""
    if name_call(node) in GIVING:
        return next(iter(node.args), None)
    return next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)


def find_given(tree: ast.AST) -> Iterator[str]:
    """Codes that a module gives: in calls, by its classes, in tables and as defaults, but not where they are asked."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            places = [find_code(node)] if name_call(node) in (*GIVING, *ERRORS, "kind") else []
            places += node.args if name_call(node) in ("check_same_grid", "check_record", "read_record") else []
        elif isinstance(node, ast.AnnAssign) and "Code" in ast.unparse(node.annotation):
            places = [node.value, *(node.value.values if isinstance(node.value, ast.Dict) else ())]
        elif isinstance(node, ast.FunctionDef):
            places = list(node.args.defaults)
        else:
            continue
        yield from (place.value for place in places if isinstance(place, ast.Constant) and place.value in CODES)


def test_the_type_and_the_table_have_the_same_codes_in_one_order() -> None:
    assert get_args(Code) == tuple(CODES)
    assert len(CODES) == len(FILES) + len(COHORTS) + len(COMMANDS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_given_as_a_code_is_one(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if name_call(node) in (*GIVING, *ERRORS):
            given = find_code(node)
            assert not isinstance(given, ast.Constant) or given.value in CODES, f"line {node.lineno}"


def test_each_code_is_given_somewhere() -> None:
    given = {code for path in MODULES for code in find_given(ast.parse(path.read_text(encoding="utf-8")))}
    assert set(CODES) - given == set()


def test_every_refusal_of_readers_and_cohorts_gives_its_code() -> None:
    calls = [
        (path.name, node)
        for path in CHECKED
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if name_call(node) in ERRORS
    ]
    assert len(calls) > 200
    assert [f"{name}:{node.lineno}" for name, node in calls if find_code(node) is None] == []


def test_no_code_follows_from_a_sentence() -> None:
    """A pattern over what is found would take a name in it for a fault."""
    for name in ("codes.py", "errors.py", "findings.py"):
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
        imported = {item.name for node in ast.walk(tree) if isinstance(node, ast.Import) for item in node.names}
        assert "re" not in imported, name


def walk(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from walk(inner)


def test_options_are_those_of_the_command_line() -> None:
    group = get_command(app)
    options = {name for command in walk(group) for parameter in command.params for name in parameter.opts}
    named = {entry.option for entry in CODES.values() if entry.option}
    assert {"--assume-rescale", "--phase", "--prefer", "--objects", "--channels"} <= named
    assert named <= options
    said = {entry.option for entry in CODES.values() if entry.remedy and entry.option not in entry.remedy}
    assert said == set()
