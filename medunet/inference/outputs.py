"""The files of a prediction: planned before it starts, written all together or not at all."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from medunet.bundle import Recipe
from medunet.errors import InputError, OutputExistsError
from medunet.files import check_free, hash_file, whole_file
from medunet.geometry import Unit
from medunet.inference.record import FileRecord, Identity, PredictionRecord, find_record, make_record
from medunet.inference.scans import Scan
from medunet.inference.status import find_status
from medunet.records import write_record
from medunet.writing import Algorithm, Format, Result, find_usual
from medunet.writing.formats import FORMATS

CHOOSE = "choose another output, or add --overwrite"


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What is to be written of one scan.

    Attributes:
        folder: in which all files lie.
        name: of the scan, with which their names begin.
        formats: of the files.
        empty: a format that may be left out is written where nothing was found, too.
    """

    folder: Path
    name: str
    formats: tuple[Format, ...]
    empty: bool = True

    @property
    def record(self) -> Path:
        """The run record."""
        return self.folder / f"{self.name}.json"

    @property
    def likely(self) -> bool:
        """Whether a file that isn't there yet holds probabilities, which only the network gives."""
        return any(row.likely and self.lacks(row) for row in self.formats)

    @property
    def files(self) -> dict[str, Path]:
        """Every file by its format."""
        return {row.name: self.find(row) for row in self.formats}

    def find(self, row: Format) -> Path:
        """The file of a format, whether it is asked for or not."""
        return self.folder / (self.name + row.ending)

    def lacks(self, row: Format) -> bool:
        """Whether the file of a format isn't there yet."""
        return not self.find(row).is_file()

    def list_wanted(self, status: str) -> tuple[Format, ...]:
        """The formats that are written of a prediction with this status."""
        found = self.empty or status != "nothing found"
        return tuple(row for row in self.formats if found or not row.optional)


def name_mask(name: str, unit: Unit) -> str:
    """File name of the label map of a scan or case: NIfTI, or PNG for pictures."""
    return name + find_usual(unit).ending


def check_formats(outputs: Outputs, recipe: Recipe, scan: Scan) -> None:
    """Check before a scan is predicted that it can be written in all of its formats.

    Raises:
        SeriesError: a format refers to a series of single slices, and the scan is none.
        ExtraError: a format needs a package that isn't installed.
        InputError: probabilities of a bundle from elsewhere whose steps don't say how outputs become them.
    """
    for row in outputs.formats:
        if row.likely and outputs.lacks(row) and not recipe.gives_probabilities:
            found = "the steps of this bundle don't say how its outputs become probabilities"
            raise InputError(f"--format {row.name}", found, "leave it out", code="format-unfit")
        row.check(scan.reference, recipe.task.labels, Algorithm(recipe.name, recipe.version, "0"))


def find_earlier(outputs: Outputs, identity: Identity, *, overwrite: bool) -> PredictionRecord | None:
    """The record of an earlier prediction of the same scan, by the same weights and options, whose files are whole.

    Args:
        outputs: what shall be there.
        identity: what decides the prediction.
        overwrite: what something else has made may be replaced.

    Raises:
        OutputExistsError: a file is there that something else has made, or that was changed since.
    """
    there = [path for path in outputs.files.values() if path.exists()]
    record = find_record(outputs.record)
    if record is not None and not identity.compare(record):
        changed = [path for path in there if not is_whole(path, record)]
        if not changed:
            return record
        if not overwrite:
            raise OutputExistsError(changed[0], "it was changed since it was predicted", CHOOSE)
    elif there and not overwrite:
        made = identity.compare(record) if record is not None else ""
        found = f"it was made {made}" if made else "it exists already, and no run record tells what made it"
        raise OutputExistsError(there[0], found, CHOOSE)
    elif not overwrite:
        check_free(outputs.record)
    return None


def is_whole(path: Path, record: PredictionRecord) -> bool:
    """Whether a file is what a record says that it was when it was written."""
    known = {item.file: item.sha256 for item in record.outputs.values()}
    return path.name in known and _holds(path, known[path.name])


def _holds(path: Path, sha256: str) -> bool:
    return path.is_file() and hash_file(path) == sha256


def list_missing(outputs: Outputs, record: PredictionRecord) -> tuple[Format, ...]:
    """The formats of which an earlier prediction has no file, or another variant."""
    return tuple(row for row in outputs.list_wanted(record.status) if outputs.lacks(row) or _differs(row, record))


def _differs(row: Format, record: PredictionRecord) -> bool:
    """Whether the file of a format was written with other options."""
    return row.name in record.outputs and record.outputs[row.name].variant != row.variant


def write_outputs(
    outputs: Outputs, recipe: Recipe, identity: Identity, result: Result, started: float
) -> PredictionRecord:
    """Write the mask of a scan in each format, and its run record.

    Each file is read back and compared; they get their names together when all are right. A file of an earlier
    prediction with the same identity stays, unless it is another variant or refers to one that is written now.

    Args:
        outputs: where, and in which formats.
        recipe: by which it was predicted.
        identity: what decided the prediction.
        result: what was predicted, of what, by what.
        started: `time.monotonic()` when that began.

    Returns:
        The run record, as it was written.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    earlier = find_record(outputs.record)
    kept: Mapping[str, FileRecord] = {}
    if earlier is not None and not identity.compare(earlier):
        other = {row.name for row in outputs.formats if _differs(row, earlier)}
        whole = {
            name: item for name, item in earlier.outputs.items() if _holds(outputs.folder / item.file, item.sha256)
        }
        kept = {name: item for name, item in whole.items() if name not in other}
    result.files.update({name: outputs.folder / item.file for name, item in kept.items()})
    with ExitStack() as stack:
        written: dict[str, FileRecord] = {}
        # Those that refer to others come last, since these name themselves.
        wanted = outputs.list_wanted(find_status(result.mask))
        referring = [row for row in FORMATS.values() if row.refers and row.name in kept and row not in wanted]
        for row in sorted((*wanted, *referring), key=lambda row: bool(row.refers)):
            if row.name not in kept or not written.keys().isdisjoint(row.refers):
                path = outputs.find(row)
                part = result.files[row.name] = stack.enter_context(whole_file(path))
                row.write(result, part)
                written[row.name] = FileRecord(file=path.name, sha256=hash_file(part), variant=row.variant)
        record = make_record(outputs.name, recipe, identity, result.mask, {**kept, **written}, started)
        # Entered last, it gets its name first: a process killed before the others have theirs makes them anew.
        write_record(stack.enter_context(whole_file(outputs.record)), record)
    return record
