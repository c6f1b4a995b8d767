"""What of a configuration MONAI's parser would import, evaluate and call, by walking it as plain data."""

import ast
import importlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medunet.bundle.audit.dangers import find_danger, find_dangers
from medunet.bundle.audit.entries import AuditEntry, Kind
from medunet.bundle.expressions import walk
from medunet.bundle.literals import REFERENCE, Literals, find_entry, read_config
from medunet.codes import Severity
from medunet.errors import MedunetError
from medunet.networks import find_network
from medunet.preparation import find_transform

PARTS = (
    *("transforms", "networks.nets", "networks.blocks", "networks.layers", "inferers", "data", "engines", "handlers"),
    *("losses", "metrics", "optimizers", "visualize"),
)
"""Packages of MONAI in which a short name is looked up."""
LIBRARIES = ("monai.", "torch.", "ignite.", "medunet.")
HARMLESS = ("dict", "list", "tuple", "slice", "range", "len", "int", "float", "bool", "str")
"""Functions of Python that make plain values."""
USUAL_IMPORTS = (
    *("glob", "os", "re", "sys", "json", "math", "inspect", "itertools", "datetime", "time", "pathlib", "random"),
    *("functools", "collections", "copy", "logging", "numpy", "torch", "monai", "ignite", "scipy", "nibabel"),
)
"""Modules that do nothing when they are imported; what is then done with them, expressions say."""
OWN = "medunet writes it of this bundle's plan"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much something may do, and why that is thought.

    Attributes:
        severity: of an entry.
        reason: in words.
    """

    severity: Severity
    reason: str


def audit_config(path: Path, name: str, own: Set[str]) -> Iterator[AuditEntry]:
    """Everything in a configuration that MONAI's parser would run.

    Args:
        path: JSON or YAML.
        name: of it, in the bundle.
        own: expressions that medunet writes of the bundle's plan.
    """
    try:
        config = read_config(path)
    except MedunetError as error:
        yield AuditEntry(kind="unreadable", severity="error", file=name, text=path.name, reason=error.found)
        return
    lines = _Lines(path.read_text(encoding="utf-8", errors="replace").splitlines(), Counter())
    literals = Literals(config if isinstance(config, Mapping) else {})
    for parts, value in walk(config):
        if isinstance(value, str):
            key = "::".join(parts)
            lines.met[value] += 1
            for kind, verdict in _judge(value, key, literals, own):
                yield AuditEntry(
                    kind=kind,
                    severity=verdict.severity,
                    file=name,
                    place=key,
                    line=lines.find(value),
                    text=value,
                    reason=verdict.reason,
                )


def _judge(text: str, key: str, literals: Literals, own: Set[str]) -> Iterator[tuple[Kind, Verdict]]:
    last = key.rpartition("::")[2]
    if last == "_target_":
        above = key.removesuffix("::_target_") if "::" in key else ""
        yield "target", judge_target(text, _find_step(literals.config, above))
    elif text.startswith("%"):
        yield "macro", _judge_macro(text)
    elif text.startswith("$import ") or text.startswith("$from "):
        yield "import", _judge_import(text[1:])
    elif text.startswith("$"):
        yield "expression", _judge_expression(text, key, literals, own)
    elif last == "_requires_" and not text.startswith("@"):
        yield "target", judge_target(text, {})


def _find_step(config: Any, key: str) -> Mapping[str, Any]:
    step = find_entry(config, key) if key else config
    return step if isinstance(step, Mapping) else {}


def judge_target(name: str, step: Mapping[str, Any]) -> Verdict:
    """How much a class or function may do that a `_target_` names.

    Args:
        name: as it stands there.
        step: the dictionary around it.
    """
    root, dot, _ = name.partition(".")
    if danger := find_danger(name):
        return Verdict("error", f"it {danger}")
    if imported := _find_plugin(name, step):
        return Verdict("warning", f"it imports {imported[:80]!r}, which one of its arguments names")
    if not dot:
        return _judge_short(name, step)
    if name.startswith(LIBRARIES):
        return Verdict("note", f"it is a part of {root}; what its arguments run is listed by itself")
    return Verdict("warning", "it is none of MONAI, torch, Ignite or medunet: what it does, its own source says")


def _find_plugin(name: str, step: Mapping[str, Any]) -> str:
    """What a step that reads or writes files imports by a name with a module, "" where nothing."""
    if not name.rpartition(".")[2].startswith(("LoadImage", "SaveImage")):
        return ""
    found = (str(step.get(key, "")) for key in ("reader", "writer"))
    return next((text for text in found if "." in text and not text.startswith(("monai.", "$", "@"))), "")


def _judge_short(name: str, step: Mapping[str, Any]) -> Verdict:
    """As `judge_target`, of a name without a module, which MONAI's parser looks for among its own first."""
    if find_network(step) or find_transform(step):
        return Verdict("note", "it is a network or transform of MONAI that takes data alone")
    if name in HARMLESS:
        return Verdict("note", "it makes a plain value")
    if any(hasattr(importlib.import_module(f"monai.{part}"), name) for part in PARTS):
        return Verdict("note", "it is a part of MONAI; what its arguments run is listed by itself")
    return Verdict(
        "error", "it is none of MONAI's parts for segmentation; its parser takes whatever it finds under this name"
    )


def _judge_macro(text: str) -> Verdict:
    file = text[1:].replace("#", "::").partition("::")[0]
    if not file.endswith((".json", ".yaml", ".yml")):
        return Verdict("note", "it copies another entry")
    if Path(file).is_absolute() or ".." in Path(file).parts:
        return Verdict("error", "it reads a file outside of the bundle")
    return Verdict("warning", "it takes over what another file holds, from the folder in which MONAI is started")


def _judge_import(text: str) -> Verdict:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return Verdict("error", "it is no import that Python parses")
    for _, name, effect in find_dangers(tree):
        return Verdict("error", f"{name} {effect}")
    statement = tree.body[0]
    names = [item.name for item in statement.names] if isinstance(statement, ast.Import) else []
    if isinstance(statement, ast.ImportFrom):
        names = [statement.module or "."]
    if all(name.partition(".")[0] in USUAL_IMPORTS for name in names):
        return Verdict("note", "it does nothing but make a name known")
    return Verdict("warning", "it runs that module, of the bundle's own scripts or of another package")


def _judge_expression(text: str, key: str, literals: Literals, own: Set[str]) -> Verdict:
    try:
        tree = ast.parse(REFERENCE.sub("_reference_", text[1:]).strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Verdict("error", "it is no Python that this version parses")
    for _, name, effect in find_dangers(tree):
        return Verdict("error", f"{name} {effect}")
    if text in own:
        return Verdict("note", OWN)
    # A reader of its own, so that what it notes of this text is of this text alone.
    reader = Literals(literals.config)
    reader.resolve(text, key)
    if key not in reader.odd:
        return Verdict("note", "it is one of the forms that medunet reads as data")
    return Verdict("warning", "it is Python of whoever wrote the bundle")


@dataclass(slots=True)
class _Lines:
    """Finds in which line a text of a configuration stands, as texts are met in the order of the file.

    Attributes:
        lines: of the file.
        met: how often each text was met.
    """

    lines: list[str]
    met: Counter[str]

    def find(self, text: str) -> int | None:
        """The line of the text that was met last, None where it is written otherwise."""
        forms = {json.dumps(text), json.dumps(text, ensure_ascii=False)}
        found = [n for n, line in enumerate(self.lines, start=1) for form in forms if form in line]
        found = found or [n for n, line in enumerate(self.lines, start=1) if text in line]
        return found[min(self.met[text], len(found)) - 1] if found else None
