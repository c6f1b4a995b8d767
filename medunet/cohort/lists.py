"""Read cases from a table (CSV) or from JSON lines, and what a cohort.json says of cases that are listed elsewhere."""

import csv
import difflib
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medunet.cohort.cases import Case, Cohort, Missing, check_ids, check_listed
from medunet.errors import RecordError, independent
from medunet.labels import Labels, LabelTable
from medunet.records import Record, check_record, parse_json, read_json, suggest

MODALITIES = {"CT": "CT", "PET": "PT", "PT": "PT", "SUV": "PT", "MRI": "MR", "MR": "MR", "US": "US", "RGB": "XC"}
"""Name of a channel to its DICOM modality; whatever else is MR, as in nnU-Net, where only CT has units."""
ENDINGS = (".csv", ".jsonl")
TABLE = "cases.csv"
"""Table beside a dataset.json that names patients; `medunet cohort export` writes it."""
COLUMNS = ("id", "patient", "label", "fold", "contoured")
"""Columns of a table that are no channels."""
ONE_LABEL = LabelTable.from_names(["label"])
"""What label maps hold whose labels nobody named."""


class Tables(Record):
    """What a cohort.json says of cases that lie elsewhere; whatever it leaves out follows from them."""

    version: Literal[1] = 1
    cases: str = Field(min_length=1)
    """A list (.csv or .jsonl), or a tree of DICOM studies."""
    channels: tuple[str, ...] | None = Field(default=None, min_length=1)
    modalities: dict[str, str] = Field(default_factory=dict)
    labels: Labels | None = None
    aliases: dict[str, str] = Field(default_factory=dict)
    precedence: tuple[str, ...] = ()
    label_values: dict[int, int] = Field(default_factory=dict)
    folds: tuple[tuple[str, ...], ...] | None = None
    missing: Missing | None = None


def guess_modality(channel: str) -> str:
    """DICOM modality of a channel by its name."""
    return MODALITIES.get(channel.upper(), "MR")


def read_tables(path: Path) -> Tables | None:
    """What a cohort.json says of cases that lie elsewhere; None where it lists them itself.

    Raises:
        RecordError: it is no JSON, or a key is unknown.
    """
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("cases"), str):
        return check_record(content, Tables, str(path), "list-wrong")
    return None


def read_list(path: Path, tables: Tables | None = None) -> Cohort:
    """Read a CSV (`id`, `patient`, a column a channel, `label`, `fold`, `contoured`) or JSON lines (a case each).

    Args:
        path: .csv or .jsonl; relative paths are taken from its folder.
        tables: channels, modalities, labels and folds; else channels are the columns, or those of the first case,
            modalities follow from their names, and the only label is called `label`.

    Raises:
        RecordError: a line is wrong, or channels, labels or folds don't agree with the cases.
        MissingInputError: a file isn't there.
        InputError: two cases have one id.
    """
    tables = tables or Tables(cases=str(path))
    cases, folds = _read_table(path) if path.suffix.lower() == ".csv" else _read_lines(path)
    if not cases:
        raise RecordError(path, "it lists no case", "add a line for each", code="list-wrong")
    check_ids(tuple(cases.values()), str(path))
    channels = tables.channels or tuple(next(iter(cases.values())).channels)
    if not channels:
        raise RecordError(path, "its first case has no channels", "add a path for each image", code="channel-missing")
    cohort = Cohort(
        channels=channels,
        modalities={name: guess_modality(name) for name in channels} | tables.modalities,
        labels=tables.labels or ONE_LABEL,
        cases=tuple(cases.values()),
        folds=tables.folds or folds,
        aliases=tables.aliases,
        precedence=tables.precedence,
        label_values=tables.label_values,
        missing=tables.missing,
    )
    return check_listed(cohort, path, {case.id: line for line, case in cases.items()})


def read_patients(path: Path, ids: list[str]) -> dict[str, str]:
    """Patient of each case by a table with the columns `id` and `patient`.

    Raises:
        RecordError: the table has no such columns, or lacks a case.
    """
    found = {row["id"]: row["patient"] for _, row in read_rows(path)}
    for name in ids:
        if not found.get(name):
            raise RecordError(
                path, f"it names no patient of the case {name}", "add a line for it", code="patient-missing"
            )
    return found


def _read_table(path: Path) -> tuple[dict[int, Case], tuple[tuple[str, ...], ...] | None]:
    """Cases by line, and the patients of each fold."""
    cases: dict[int, Case] = {}
    fold_of: dict[str, str] = {}
    for line, row in read_rows(path):
        where = f"{path}, line {line}"
        channels = {name: cell for name, cell in row.items() if name not in COLUMNS}
        with independent():
            for name in ("id", "patient", *channels):
                if not row[name]:
                    raise RecordError(
                        where, f"its column '{name}' is empty", "fill it in, or leave the case out", code="list-wrong"
                    )
            content = {
                "id": row["id"],
                "patient": row["patient"],
                "channels": {name: {"path": cell} for name, cell in channels.items()},
                "label": {"path": row["label"]} if row.get("label") else None,
                "contoured": split_names(row["contoured"]) if row.get("contoured") else None,
            }
            cases[line] = check_record(content, Case, where, "list-wrong")
            fold, patient = row.get("fold", ""), row["patient"]
            if fold_of.setdefault(patient, fold) != fold:
                found = f"patient {patient} is in two folds"
                raise RecordError(where, found, "give all cases of a patient one fold", code="folds-wrong")
    return cases, _make_folds(path, fold_of)


def split_names(cell: str) -> list[str]:
    """Names of labels in a cell of a table, a space between them, or a `|` where names hold spaces themselves."""
    return [name.strip() for name in (cell.split("|") if "|" in cell else cell.split()) if name.strip()]


def _make_folds(path: Path, fold_of: Mapping[str, str]) -> tuple[tuple[str, ...], ...] | None:
    names = {fold for fold in fold_of.values() if fold}
    if names != {str(n) for n in range(len(names))}:
        raise RecordError(
            path, f"its folds are {', '.join(sorted(names))}", "number them 0, 1, 2, …", code="folds-wrong"
        )
    folds = (tuple(sorted(name for name, fold in fold_of.items() if fold == str(n))) for n in range(len(names)))
    return tuple(folds) or None


def check_columns(columns: list[str], where: str) -> list[str]:
    """Check the columns of a list of cases, whose fixed ones may be written in capitals.

    Raises:
        RecordError: one is missing, unnamed, named twice or misspelled.
    """
    columns = [name.lower() if name.lower() in COLUMNS else name for name in columns]
    for name in ("id", "patient"):
        if name not in columns:
            raise RecordError(where, f"it has no column '{name}'", suggest(name, columns), code="list-wrong")
    for number, name in enumerate(columns, start=1):
        if not name or columns.count(name) > 1:
            found = f"column {number} has {'no name' if not name else 'the name of another'}"
            raise RecordError(where, found, "name it", code="list-wrong")
        near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.8)
        if near and name not in COLUMNS:
            # It would be taken for an image.
            raise RecordError(where, f"the column '{name}' is unknown", f"did you mean '{near[0]}'?", code="list-wrong")
    return columns


def read_rows(
    path: Path, check: Callable[[list[str], str], list[str]] = check_columns
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table by column, each with its line; comma, semicolon or tab separate cells.

    Args:
        path: of the table.
        check: given its columns and where they stand, says how they are called.

    Raises:
        RecordError: it is no table of text, or `check` refuses it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(
            path, f"it is no UTF-8 text ({error.reason})", "save it as CSV UTF-8", code="list-wrong"
        ) from None
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    columns: list[str] = []
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row):
                continue
            if not columns:
                columns = check(row, f"{path}, line {reader.line_num}")
            else:
                if len(row) != len(columns):
                    where, found = f"{path}, line {reader.line_num}", f"it has {len(row)} cells"
                    raise RecordError(where, found, "correct it", f"{len(columns)}", code="list-wrong")
                yield reader.line_num, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise RecordError(
            f"{path}, line {reader.line_num}", f"it is no CSV ({error})", "correct it", code="list-wrong"
        ) from None


def _read_lines(path: Path) -> tuple[dict[int, Case], None]:
    found: dict[int, Any] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            with independent():
                found[number] = check_record(parse_json(line, where), Case, where, "list-wrong")
    return found, None
