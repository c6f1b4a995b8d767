import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import medunet
from medunet.errors import SeriesError
from medunet.findings import CODES, OTHER, describe_error, find_code, listening

PACKAGE = Path(medunet.__file__).parent
MODULES = [
    *sorted((PACKAGE / "reading").rglob("*.py")),
    *sorted((PACKAGE / "cohort").glob("*.py")),
    *(PACKAGE / name for name in ("geometry.py", "labels.py")),
]
OTHERS = ("suv.py", "export.py")
"""What these refuse is a note about a PET, and nothing that is read."""
ERRORS = ("InputError", "SeriesError", "GeometryError", "LabelError", "RecordError", "MissingInputError")


def spell(node: ast.AST) -> str:
    """A sentence as it is written, with 7 for what is filled in; nothing where it is made elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    return ""


def find_sentences(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            yield spell(node.args[1])
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "found":
            yield spell(node.value) if isinstance(node.value, ast.JoinedStr) else ""


def test_every_refusal_has_a_code() -> None:
    sentences = [(path.name, found) for path in MODULES for found in find_sentences(path) if path.name not in OTHERS]
    assert len(sentences) > 100
    assert not [(name, found) for name, found in sentences if found and find_code(found) == OTHER]


def test_every_code_is_explained() -> None:
    page = (PACKAGE.parent / "docs" / "reference" / "check.md").read_text(encoding="utf-8")
    assert not [code for code in (*CODES, OTHER) if f"`{code}`" not in page]


def test_an_error_becomes_a_finding_with_its_option() -> None:
    found = describe_error(SeriesError("CT/1.dcm", "Rescale Slope or Intercept is missing, so", "say --assume-rescale"))
    assert (found.code, found.severity, found.option) == ("rescale-missing", "error", "--assume-rescale")


def test_warnings_are_heard_instead_of_logged(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("medunet.reading.labels.contours")
    with listening() as heard:
        logger.warning("%s: its contours lie up to 1.00 mm off the slices of the image", "a.dcm")
    logger.warning("again")
    assert [(item.code, item.severity, item.subject) for item in heard] == [("label-grid", "warning", "a.dcm")]
    assert caplog.messages == ["again"]
