"""Every file of a bundle, looked into by its kind."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medunet.bundle.audit.archives import audit_binary
from medunet.bundle.audit.configs import audit_config
from medunet.bundle.audit.entries import Audit, AuditEntry
from medunet.bundle.audit.logs import audit_logging
from medunet.bundle.audit.scripts import audit_script
from medunet.bundle.configs import OF_NETWORKS, Makers
from medunet.bundle.expressions import find_expressions, walk
from medunet.bundle.literals import read_config
from medunet.bundle.metadata import Metadata
from medunet.errors import MedunetError, MissingInputError
from medunet.planning import read_plan
from medunet.records import read_record

CONFIGS = (".json", ".yaml", ".yml")
DOWNLOADS = ("large_files.json", "large_files.yaml", "large_files.yml")
LEFT_OUT = (".git",)
SEVERITIES = ("error", "warning", "note")


def audit_bundle(folder: Path, further: Makers | None = None) -> Audit:
    """List all that a bundle would run, of MONAI's zoo or of medunet's; nothing of it is imported or evaluated.

    Args:
        folder: its root. It needs no more than to be a folder.
        further: makers of configurations beside `inference.json` and `evaluate.json`, such as those that train: what
            they make of the bundle's plan is known.

    Raises:
        MissingInputError: there is no such folder.
    """
    if not folder.is_dir():
        raise MissingInputError(folder, "there is no such folder", "name the folder of a bundle")
    own = _list_own(folder, further or {})
    paths = [path for path in sorted(folder.rglob("*")) if not set(path.relative_to(folder).parts) & set(LEFT_OUT)]
    files = [path for path in paths if path.is_file() or path.is_symlink()]
    entries = [entry for path in files for entry in _look_safely(path, folder, own)]
    order = sorted(entries, key=lambda item: SEVERITIES.index(item.severity))
    return Audit(bundle=folder.resolve().name, entries=tuple(order), files=len(files))


def _look_safely(path: Path, folder: Path, own: frozenset[str]) -> list[AuditEntry]:
    """Entries of a file; one that is too deep, too large or locked is an error among them, and the others go on."""
    name = path.relative_to(folder).as_posix()
    try:
        return list(_look_into(path, name, folder, own))
    except (OSError, RecursionError, MemoryError) as error:
        said = f"it can't be looked into ({type(error).__name__})"
        return [AuditEntry(kind="unreadable", severity="error", file=name, text=path.name, reason=said)]


def _look_into(path: Path, name: str, folder: Path, own: frozenset[str]) -> Iterator[AuditEntry]:
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        said = "it is a link that leads out of the bundle, or nowhere"
        yield AuditEntry(kind="unreadable", severity="error", file=name, text=path.name, reason=said)
    elif path.name in DOWNLOADS:
        yield from _audit_downloads(path, name)
    elif path.suffix in CONFIGS:
        yield from audit_config(path, name, own)
    elif path.suffix == ".py":
        yield from audit_script(path, name)
    elif path.suffix == ".conf":
        yield from audit_logging(path, name)
    else:
        yield from audit_binary(path, name)


def _audit_downloads(path: Path, name: str) -> Iterator[AuditEntry]:
    """Each file that large_files names; one without a strong hash may be anything."""
    try:
        config = read_config(path)
    except MedunetError as error:
        yield AuditEntry(kind="unreadable", severity="error", file=name, text=path.name, reason=error.found)
        return
    for parts, item in walk(config):
        if not (isinstance(item, Mapping) and "url" in item):
            continue
        hashed = item.get("hash_val") and item.get("hash_type") in ("sha256", "sha512")
        strong = "it is fetched from there, and known by its hash"
        weak = "whatever lies there is taken, since no SHA-256 of it is given"
        yield AuditEntry(
            kind="download",
            severity="warning" if hashed else "error",
            file=name,
            place="::".join(parts),
            text=str(item["url"]),
            reason=strong if hashed else weak,
        )


def _list_own(folder: Path, further: Makers) -> frozenset[str]:
    """Expressions that medunet makes of a bundle's plan, none where it has none that can be read."""
    try:
        plan = read_plan(folder / "configs" / "plan.json")
        files = tuple(read_record(folder / "configs" / "metadata.json", Metadata).fold_weights)
    except MedunetError:
        return frozenset()
    makers: list[Any] = [make(plan, files) for make in OF_NETWORKS.values()]
    makers += [make(plan) for make in further.values()]
    return frozenset(text for config in makers for _, text in find_expressions(config))
