"""Records on disk: checked JSON, files that appear whole or not at all, and what a run leaves behind."""

import difflib
import hashlib
import json
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from medunet.errors import MissingInputError, OutputExistsError, RecordError, ResourceError


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
        raise RecordError(subject, f"it is no valid JSON ({error})", "correct it or restore it from a copy") from None


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twins = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
    if twins:
        raise ValueError(f"the key {sorted(twins)[0]!r} stands there twice")
    return dict(pairs)


def read_record(path: Path, kind: type[R]) -> R:
    """Read and check a record.

    Raises:
        MissingInputError: there is no such file.
        RecordError: it is no JSON, or a key is unknown, absent or of the wrong kind; the first such key is named.
    """
    return check_record(read_json(path), kind, str(path))


def check_record(value: Any, kind: type[R], subject: str) -> R:
    """Check a value of plain Python types against a kind of record.

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
            raise RecordError(subject, f"the key '{where}' is unknown", suggest(str(first["loc"][-1]), known)) from None
        raise RecordError(subject, f"the key '{where}': {first['msg'].lower()}", "correct it") from None


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


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, which is renamed to it when the block ends without an error.

    The folder is made if it isn't there. A file that exists is replaced: who must not replace it calls
    `check_free` first.

    Raises:
        ResourceError: the disk is full or the folder can't be written to.
    """
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        if isinstance(error, ResourceError) or getattr(error, "remedy", None):
            raise
        raise ResourceError(
            path, f"it can't be written ({error.strerror or error})", "make room or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which is renamed to it when the block ends without an error.

    Raises:
        OutputExistsError: `path` exists.
        ResourceError: the disk is full or the folder can't be written to.
    """
    check_free(path)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        part.mkdir(parents=True)
        yield part
        part.rename(path)
    except OSError as error:
        if getattr(error, "remedy", None):
            raise
        raise ResourceError(
            path, f"it can't be written ({error.strerror or error})", "make room or choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_free(path: Path) -> None:
    """Check that nothing would be overwritten.

    Raises:
        OutputExistsError: `path` exists.
    """
    if path.exists():
        raise OutputExistsError(path, "it exists already", "choose another output or remove it first")


def hash_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class RunRecord(Record):
    """What a run leaves behind: what it was, on what, with what, and what it took."""

    command: str
    versions: dict[str, str]
    machine: str
    inputs: dict[str, str]
    """Path of each input (relative to where it was named), and its SHA-256."""
    seconds: float
    peak_memory_gib: float
    predicted_memory_gib: float | None = None
    """What the plan foresaw, with the largest case of training."""
    notes: tuple[str, ...] = ()
    """What was repaired, computed or odd in the inputs, in words."""


def record_run(
    command: str,
    inputs: dict[str, str],
    started: float,
    notes: tuple[str, ...] = (),
    predicted_gib: float | None = None,
) -> RunRecord:
    """Describe the run that ends now.

    Args:
        command: the verb with its arguments.
        inputs: SHA-256 by name.
        started: `time.monotonic()` at its start.
        notes: what is to be said of the inputs.
        predicted_gib: peak memory that was foreseen.
    """
    packages = ("medunet", "torch", "monai", "pytorch-ignite", "numpy", "nibabel", "pydicom")
    installed = {dist: metadata.version(dist) for dist in packages if _is_installed(dist)}
    return RunRecord(
        command=command,
        versions={"python": platform.python_version(), **installed},
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        inputs=inputs,
        seconds=round(time.monotonic() - started, 1),
        peak_memory_gib=round(measure_peak_memory() / 2**30, 2),
        predicted_memory_gib=None if predicted_gib is None else round(predicted_gib, 2),
        notes=notes,
    )


def measure_peak_memory() -> int:
    """Largest memory that this process has held since it began or was told to forget, in bytes (resident set)."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage also counts what the process that started this one held then.
        peak = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "")
        if peak:
            return int(peak.split()[1]) * 1024
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_kib if sys.platform == "darwin" else peak_kib * 1024


def forget_peak_memory() -> None:
    """Let `measure_peak_memory` begin with what is held now, where the system is Linux and allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
