"""The table of formats: what a prediction can be written as. A new one is a file beside this and a row here."""

from collections.abc import Sequence

from medunet.errors import InputError
from medunet.geometry import Unit
from medunet.records import suggest
from medunet.writing import nifti, png, seg
from medunet.writing.interface import Format

FORMATS = {row.name: row for row in (nifti.FORMAT, png.FORMAT, seg.FORMAT)}
"""By name; the first that holds grids of a unit is the one that is written where nothing is asked for."""


def choose_formats(names: Sequence[str], unit: Unit) -> tuple[Format, ...]:
    """The formats of these names, or the usual one where there are none.

    Args:
        names: of `FORMATS`; one that is named twice counts once.
        unit: of the grids that they are to hold.

    Raises:
        InputError: there is no such format, or it holds no such grids.
    """
    usual = find_usual(unit)
    for name in names:
        if name not in FORMATS:
            remedy = suggest(name, list(FORMATS))
            raise InputError(f"--format {name}", "there is no such format", remedy, code="option-wrong")
        if FORMATS[name].unit != unit:
            found = f"masks of this bundle are written as {usual.name}"
            raise InputError(f"--format {name}", found, "leave --format out", code="format-unfit")
    return tuple(FORMATS[name] for name in dict.fromkeys(names)) or (usual,)


def find_usual(unit: Unit) -> Format:
    """The format that is written of grids of a unit where nothing is asked for."""
    return next(row for row in FORMATS.values() if row.unit == unit)
