"""What is in a file of Python, by parsing it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from medunet.bundle.audit.dangers import find_dangers
from medunet.bundle.audit.entries import AuditEntry


def audit_script(path: Path, name: str) -> Iterator[AuditEntry]:
    """A script, and each place in it that reaches beyond the bundle.

    Args:
        path: of the file.
        name: of it, in the bundle.
    """
    text = path.read_bytes()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = "it is no Python that this version parses"
        yield AuditEntry(kind="unreadable", severity="error", file=name, text=type(error).__name__, reason=said)
        return
    imported = ", ".join(dict.fromkeys(_list_imports(tree))) or "nothing"
    reason = "it is a program of whoever wrote the bundle, run when a configuration names it"
    said = f"{len(text.splitlines())} lines of Python, which import {imported}"
    yield AuditEntry(kind="script", severity="warning", file=name, line=1, text=said, reason=reason)
    for line, found, effect in find_dangers(tree):
        yield AuditEntry(
            kind="script", severity="error", file=name, line=line, place=found, text=found, reason=f"it {effect}"
        )


def _list_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
