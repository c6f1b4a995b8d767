"""The table of formats: what a prediction can be written as. A new one is a file beside this and a row here."""

from collections.abc import Sequence

from medunet.errors import InputError
from medunet.geometry import Unit
from medunet.records import suggest
from medunet.writing import fractional, measures, nifti, png, probabilities, rtstruct, sc, seg, sr
from medunet.writing.interface import Format

FORMATS = {
    row.name: row
    for row in (
        nifti.FORMAT,
        png.FORMAT,
        seg.FORMAT,
        seg.LABEL_MAP,
        fractional.FORMAT,
        rtstruct.FORMAT,
        rtstruct.INNER,
        sr.FORMAT,
        sc.FORMAT,
        measures.FORMAT,
        measures.TABLE,
        probabilities.FORMAT,
    )
}
"""By name; the first that holds grids of a unit is the one that is written where nothing is asked for."""
BESIDE = (measures.FORMAT, measures.TABLE)
"""What `medunet predict` writes beside every mask."""


def choose_formats(names: Sequence[str], unit: Unit, further: Sequence[Format] = ()) -> tuple[Format, ...]:
    """The formats of these names; the usual one first where none of them holds a mask.

    Args:
        names: of `FORMATS` and `further`; one that is named twice counts once.
        unit: of the grids that they are to hold.
        further: rows that the table can't have, since they are made of what lies below it.

    Raises:
        InputError: there is no such format, or it holds no such grids.
    """
    usual, table = find_usual(unit), FORMATS | {row.name: row for row in further}
    for name in names:
        if name not in table:
            remedy = suggest(name, list(table))
            raise InputError(f"--format {name}", "there is no such format", remedy, code="option-wrong")
        if table[name].unit not in (None, unit):
            found = f"masks of this bundle are written as {usual.name}"
            raise InputError(f"--format {name}", found, "leave --format out", code="format-unfit")
    chosen = tuple(table[name] for name in dict.fromkeys(names))
    return chosen if any(row.read for row in chosen) else (usual, *chosen)


def add_beside(rows: Sequence[Format]) -> tuple[Format, ...]:
    """Formats, and what is written beside every mask."""
    return (*rows, *(row for row in BESIDE if row not in rows))


def find_usual(unit: Unit) -> Format:
    """The format that is written of grids of a unit where nothing is asked for."""
    return next(row for row in FORMATS.values() if row.unit == unit)
