"""Records on disk: JSON whose keys and values are checked."""

import difflib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from medunet.codes import Code
from medunet.errors import MissingInputError, RecordError
from medunet.files import whole_file


class Record(BaseModel):
    """Base of everything that is read from or written to JSON: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


R = TypeVar("R", bound=Record)


def suggest(word: str, known: list[str]) -> str:
    """Remedy for a misspelled word: the nearest known one, or all of them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        MissingInputError: there is no such file.
        RecordError: it is no JSON, or names a key twice.
    """
    if not path.is_file():
        raise MissingInputError(path, "there is no such file", "check the path")
    return parse_json(path.read_bytes(), str(path))


def parse_json(text: bytes, subject: str) -> Any:
    """Read JSON from UTF-8; errors as of `read_json`, about the subject."""
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_refuse_twins)
    except (ValueError, RecursionError) as error:
        found = f"it is no valid JSON ({error})"
        raise RecordError(subject, found, "correct it or restore it from a copy", code="file-damaged") from None


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twins = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
    if twins:
        raise ValueError(f"the key {sorted(twins)[0]!r} stands there twice")
    return dict(pairs)


def read_record(path: Path, kind: type[R], code: Code = "record-wrong") -> R:
    """Read and check a record; a key of it is refused by the code.

    Raises:
        MissingInputError: there is no such file.
        RecordError: it is no JSON, or a key is unknown, absent or of the wrong kind; the first such key is named.
    """
    return check_record(read_json(path), kind, str(path), code)


def check_record(value: Any, kind: type[R], subject: str, code: Code = "record-wrong") -> R:
    """Check a value of plain Python types against a kind of record; a key of it is refused by the code.

    Raises:
        RecordError: as `read_record`.
    """
    try:
        return kind.model_validate_json(json.dumps(value))
    except ValidationError as error:
        # A misspelled key is unknown under its own name and missing under the right one: the first says more.
        first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"]) or kind.__name__
        if first["type"] == "extra_forbidden":
            known = _known_keys(kind, first["loc"][:-1])
            remedy = suggest(str(first["loc"][-1]), known)
            raise RecordError(subject, f"the key '{where}' is unknown", remedy, code=code) from None
        raise RecordError(subject, f"the key '{where}': {first['msg'].lower()}", "correct it", code=code) from None


def _known_keys(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    schema = kind.model_json_schema()
    node: Any = schema
    for part in path:
        node = _resolve(schema, node)
        node = node.get("properties", {}).get(part) or node.get("items") or node.get("additionalProperties") or {}
    return list(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in [node, *node.get("anyOf", [])]:
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rsplit("/", 1)[1]]
            return found
    return node


def write_record(path: Path, record: Record) -> None:
    """Write a record as indented JSON, whole or not at all; an older one is replaced."""
    write_json(path, record.model_dump(mode="json"))


def write_json(path: Path, value: Any) -> None:
    """Write plain Python types as indented JSON, whole or not at all; an older file is replaced."""
    with whole_file(path) as part:
        # A file's name that is no text keeps its bytes as JSON's escapes of half a character.
        part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")
