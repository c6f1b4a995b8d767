"""What a configuration of MONAI's says, read without evaluating any of it.

MONAI takes a text that begins with `$` for Python and one that begins with `@` for another entry. Understood are
references, constants, sums of texts, lists and numbers, joined paths, a choice between two of these by an entry that is
true or false, dtypes, and `.to(device)`; they are parsed, never run. All else is listed by its key.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from medunet.bundle.expressions import walk
from medunet.errors import BundleError
from medunet.extras import load_extra
from medunet.records import read_json

REFERENCE = re.compile(r"@\w+(?:(?:#|::)\w+)*")
DTYPES = re.compile(r"(?:numpy|np|torch)\.((?:float|int|uint)\d+|bfloat16|bool)")
USUAL: dict[str, tuple[Any, ...]] = {
    "_disabled_": (None, False, "false", "False"),
    "_mode_": (None, "default"),
    "_requires_": (None,),
}
"""Keys of a component that are no arguments, and the values with which it is made as if they weren't there."""


class Mark(Enum):
    """What stands for a value that isn't known, or doesn't matter."""

    UNKNOWN = "unknown"
    """Nothing that is understood; its key was listed."""
    DEVICE = "device"
    """A device: medunet chooses it."""
    SWITCHED_OFF = "switched off"
    """A component that MONAI leaves out."""


class _OddFormError(Exception):
    """An expression isn't of the forms that are understood."""


@dataclass(slots=True)
class Literals:
    """Reads the entries of a configuration.

    Attributes:
        config: the whole configuration, as plain data.
        odd: text of each entry that was asked for and isn't understood, by its key.
        used: the first part of each key that was asked for or referred to.
    """

    config: Mapping[str, Any]
    odd: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    _open: list[str] = field(default_factory=list)

    def read(self, key: str) -> Any:
        """The value of an entry, with all that it refers to.

        Args:
            key: path of the entry, with `::` between keys and numbers of list items.

        Returns:
            Plain data, None where there is no such entry; components stay dictionaries with a `_target_`. A `Mark`
            stands where a value is unknown or a device.
        """
        self.used.add(key.partition("::")[0])
        return self.resolve(find_entry(self.config, key), key)

    def resolve(self, value: Any, key: str) -> Any:
        """As `read`, of a value that stands at a key."""
        if isinstance(value, Mapping):
            return self._resolve_mapping(value, key)
        if isinstance(value, list):
            items = [self.resolve(item, f"{key}::{number}") for number, item in enumerate(value)]
            return [item for item in items if item is not Mark.SWITCHED_OFF]
        if not isinstance(value, str) or not value.startswith(("$", "@", "%")):
            return value
        try:
            return self._follow(value) if REFERENCE.fullmatch(value) else self._compute(value)
        except _OddFormError:
            self.odd[key] = value
            return Mark.UNKNOWN

    def _resolve_mapping(self, value: Mapping[str, Any], key: str) -> Any:
        if value.get("_disabled_") in (True, "true", "True"):
            return Mark.SWITCHED_OFF
        if value.get("_target_") == "torch.device":
            return Mark.DEVICE
        for name, usual in USUAL.items():
            if value.get(name) not in usual:
                self.odd[f"{key}::{name}"] = str(value[name])
        kept = {name: item for name, item in value.items() if name != "_desc_" and name not in USUAL}
        return {name: self.resolve(item, f"{key}::{name}") for name, item in kept.items()}

    def _follow(self, reference: str) -> Any:
        key = reference[1:].replace("#", "::")
        if key in self._open:
            raise _OddFormError
        self._open.append(key)
        self.used.add(key.partition("::")[0])
        try:
            value = find_entry(self.config, key, Mark.UNKNOWN)
            if value is Mark.UNKNOWN:
                raise _OddFormError
            return self.resolve(value, key)
        finally:
            self._open.pop()

    def _compute(self, text: str) -> Any:
        if not text.startswith("$"):
            raise _OddFormError
        references: list[str] = []

        def name(match: re.Match[str]) -> str:
            references.append(match[0])
            return f"_reference_{len(references) - 1}"

        try:
            tree = ast.parse(REFERENCE.sub(name, text[1:]).strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise _OddFormError from None
        return self._walk(tree, references)

    def _walk(self, node: ast.expr, references: list[str]) -> Any:
        walk = partial(self._walk, references=references)
        value: Any
        match node:
            case ast.Constant(value=value) if value is None or isinstance(value, bool | int | float | str):
                pass
            case ast.Name(id=name) if name.startswith("_reference_"):
                value = self._follow(references[int(name.removeprefix("_reference_"))])
            case ast.List(elts=items) | ast.Tuple(elts=items):
                value = [walk(item) for item in items]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = _negate(walk(operand))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                value = _add(walk(left), walk(right))
            case ast.IfExp(test=test, body=body, orelse=other):
                value = walk(body if self._decide(test, references) else other)
            case _:
                value = self._walk_call(node, references)
        return value

    def _walk_call(self, node: ast.expr, references: list[str]) -> Any:
        """Of calls and dotted names those that are known, by their text."""
        if found := DTYPES.fullmatch(ast.unparse(node)):
            return found[1]
        match node:
            case ast.Call(func=func) if ast.unparse(func) == "torch.device":
                return Mark.DEVICE
            case ast.Call(func=ast.Attribute(value=value, attr="to"), args=[device], keywords=[]):
                return self._walk(value, references) if self._is_device(device, references) else self._give_up()
            case ast.Call(func=func, args=parts, keywords=[]) if ast.unparse(func) == "os.path.join" and parts:
                texts = [self._walk(part, references) for part in parts]
                return str(PurePosixPath(*texts)) if all(isinstance(text, str) for text in texts) else self._give_up()
        return self._give_up()

    def _is_device(self, node: ast.expr, references: list[str]) -> bool:
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str)
        return self._walk(node, references) is Mark.DEVICE

    def _decide(self, node: ast.expr, references: list[str]) -> bool:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not self._decide(node.operand, references)
        value = self._walk(node, references)
        return value if isinstance(value, bool) else self._give_up()

    def _give_up(self) -> Any:
        raise _OddFormError


def read_config(path: Path) -> Any:
    """What a configuration in JSON or YAML holds, as plain data.

    Raises:
        MissingInputError: there is no such file.
        RecordError: it is no JSON, or names a key twice.
        BundleError: it is no YAML that holds data alone.
        ExtraError: it is YAML, and nothing that reads it is installed.
    """
    if path.suffix == ".json":
        return read_json(path)
    yaml = load_extra("yaml", path.name)
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = str(error).splitlines()[0]
        found = f"it is no valid YAML ({said})"
        raise BundleError(path, found, "restore it from a copy", code="file-damaged") from None


def find_entry(config: Any, key: str, missing: Any = None) -> Any:
    """The raw entry of a path like `preprocessing::transforms::0`, or what stands for one that is missing."""
    value = config
    for part in key.split("::"):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (LookupError, TypeError, ValueError):
            return missing
    return value


def find_components(config: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and entry of every component of a class, by the last part of its `_target_`, wherever it stands."""
    for parts, value in walk(config):
        if isinstance(value, Mapping) and str(value.get("_target_", "")).rpartition(".")[2] == name:
            yield "::".join(parts), dict(value)


def locate(path: str, root: Path) -> Path:
    """A path of a configuration; one that isn't absolute begins at the bundle."""
    return Path(path) if Path(path).is_absolute() else root / path


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _negate(value: Any) -> Any:
    if not _is_number(value):
        raise _OddFormError
    return -value


def _add(first: Any, second: Any) -> Any:
    alike = (isinstance(first, kind) and isinstance(second, kind) for kind in (str, list))
    if not (any(alike) or (_is_number(first) and _is_number(second))):
        raise _OddFormError
    return first + second
