"""What was measured of cases, kept on disk by content, so that nothing is measured twice.

An entry `<content>.npz` holds one case; its name is the hash of the contents of the case's files, how they are read
and under which names. `<stamp>.key` names the entry of files of these sizes and dates, so that files that weren't
touched since need not be read to know that.
"""

import hashlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from medunet.cohort import Case, CaseFacts, Cohort, ImageFacts, LabelFacts, hash_files, stamp_files
from medunet.files import whole_file
from medunet.findings import Finding, Note
from medunet.measuring.measures import CaseMeasure, Measured, Said
from medunet.reading import LabelOptions, Source

LOGGER = logging.getLogger(__name__)
VERSION = 4
"""Version of what is measured: raised when an older entry lacks something."""
MOST_BYTES = 512 * 2**20
"""Entries that weren't used for longest go first when there is more."""


def find_cache() -> Path:
    """Folder in which a user's programs keep what they can make again, by the convention of the system."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "medunet"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medunet"


@contextmanager
def open_store(folder: Path | None = None) -> Iterator["Store"]:
    """Open the store of this user, or one for as long as the block runs where that can't be written.

    Args:
        folder: another place for it.
    """
    wanted = folder or find_cache() / "measures"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        wanted.chmod(0o700)  # It names patients.
        tempfile.TemporaryFile(dir=wanted).close()
    except OSError as error:
        LOGGER.info("what is measured isn't kept: %s can't be written (%s)", wanted, error.strerror)
        with tempfile.TemporaryDirectory() as place:
            yield Store(Path(place))
        return
    yield Store(wanted)


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of entries.

    Attributes:
        folder: where they lie.
    """

    folder: Path

    def find(self, stamp: str) -> Path | None:
        """The entry of files with this stamp, if there is one."""
        key = self.folder / f"{stamp}.key"
        if not key.is_file():
            return None
        entry = self.folder / f"{key.read_text(encoding='ascii').strip()}.npz"
        if not entry.is_file():
            return None
        os.utime(entry)
        return entry

    def name(self, content: str) -> Path:
        """Where the entry of this content lies, or would."""
        return self.folder / f"{content}.npz"

    def link(self, stamp: str, content: str) -> None:
        """Note that files with this stamp have this content."""
        with whole_file(self.folder / f"{stamp}.key") as part:
            part.write_text(content, encoding="ascii")

    def prune(self, used: Set[Path], most: int = MOST_BYTES) -> None:
        """Remove entries until the rest takes no more than `most` bytes, those in use excepted."""
        entries = sorted(self.folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)
        total = sum(path.stat().st_size for path in entries)
        for path in entries:
            if total <= most:
                break
            if path not in used:
                total -= path.stat().st_size
                path.unlink(missing_ok=True)
        known = {path.stem for path in self.folder.glob("*.npz")}
        for key in self.folder.glob("*.key"):
            if key.read_text(encoding="ascii").strip() not in known:
                key.unlink(missing_ok=True)


def stamp_case(cohort: Cohort, case: Case) -> str:
    """Hash of how a case is read and of the sizes and dates of its files; changes when one of them does."""
    return _hash([*_describe(cohort, case), stamp_files(case)])


def hash_case(cohort: Cohort, case: Case) -> str:
    """Hash of how a case is read and of the contents of its files."""
    return _hash([*_describe(cohort, case), hash_files(case)])


def _describe(cohort: Cohort, case: Case) -> list[Any]:
    own = case.model_copy(update={"channels": {name: case.channels[name] for name in cohort.channels}})
    described: tuple[Any, ...] = own.model_dump(mode="json"), cohort.modalities, cohort.labels.model_dump(mode="json")
    if cohort.label_options != LabelOptions():
        described += (cohort.label_options.model_dump(mode="json"),)
    if cohort.missing == "unknown":
        described += (cohort.missing,)
    return [VERSION, metadata.version("medunet"), cohort.channels, *described]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def write_entry(path: Path, measured: Measured) -> None:
    """Write an entry, whole or not at all."""
    facts = asdict(measured.facts)
    arrays: dict[str, Any] = {f"samples {name}": values for name, values in measured.samples.items()}
    for name, image in facts["images"].items():
        arrays[f"coarse {name}"] = image.pop("coarse")
    said = [item.model_dump() if isinstance(item, Finding) else item for item in measured.said]
    record = {"measure": measured.measure.model_dump(mode="json"), "facts": facts, "said": said}
    arrays["objects"] = measured.objects
    arrays["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    with whole_file(path) as part, part.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def read_entry(path: Path) -> Measured:
    """Read an entry that `write_entry` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        record = json.loads(arrays["record"].tobytes())
        objects = arrays["objects"]
        samples = {name[8:]: arrays[name] for name in arrays.files if name.startswith("samples ")}
        coarse = {name[7:]: arrays[name] for name in arrays.files if name.startswith("coarse ")}
    facts = _freeze(record["facts"])
    images = {}
    for name, image in facts.pop("images").items():
        source = image.pop("source")
        source = Source(**{**source, "notes": tuple(Note(**note) for note in source["notes"])})
        images[name] = ImageFacts(**image, source=source, coarse=coarse[name])
    labels = facts.pop("labels")
    if labels is not None:
        labels = {name: LabelFacts(**label) for name, label in labels.items()}
    said = tuple(map(_read_said, record["said"]))
    measure = CaseMeasure.model_validate(record["measure"])
    return Measured(measure, CaseFacts(**facts, images=images, labels=labels), samples, said, objects)


def _read_said(item: Any) -> Said:
    if isinstance(item, dict):
        return Finding.model_validate(item)
    level, name, text = item
    return int(level), str(name), str(text)


def _freeze(value: Any) -> Any:
    """JSON knows lists only; facts hold tuples."""
    if isinstance(value, dict):
        return {key: _freeze(item) for key, item in value.items()}
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value
