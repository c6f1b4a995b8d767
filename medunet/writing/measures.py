"""Write what is measured of a mask, as JSON with every number and as CSV with a line for each structure and lesion."""

import csv
from collections.abc import Iterator
from pathlib import Path

from medunet.errors import ResourceError
from medunet.measures import PERCENTILES, LesionMeasures, Measured, Measures
from medunet.records import read_record, write_json
from medunet.writing.interface import Format, Result, check_nothing

DIFFERENT = ("what was read back differs from what was written", "check the disk")
Row = dict[str, str]


def write_measures(measures: Measures, path: Path) -> None:
    """Write measures as JSON.

    Args:
        measures: what to write.
        path: a temporary name, so that a wrong file never gets its own.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    write_json(path, measures.model_dump(mode="json"))
    if read_record(path, Measures) != measures:
        raise ResourceError(path, *DIFFERENT, code="output-differs")


def write_table(measures: Measures, path: Path) -> None:
    """Write measures as CSV: a line for each structure, whose lesion is empty, and one for each of its lesions.

    Args:
        measures: what to write.
        path: as of `write_measures`.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    rows = list(list_rows(measures))
    # Those of the first channel stand first, wherever another one ends.
    names = list(dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, names, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    with path.open(newline="", encoding="utf-8") as stream:
        again = list(csv.DictReader(stream))
    if again != [{name: row.get(name, "") for name in names} for row in rows]:
        raise ResourceError(path, *DIFFERENT, code="output-differs")


def list_rows(measures: Measures) -> Iterator[Row]:
    """Every line of the table, by column; numbers as text."""
    volume, length, place = ("mL", "mm", "RAS mm") if measures.unit == "mm" else ("px", "px", "px")
    for structure in measures.structures:
        whole = structure.whole
        first = {
            "structure": structure.name,
            "lesion": "",
            "lesions": str(structure.lesion_count),
            f"volume [{volume}]": _write_number(whole.volume if whole else 0.0),
        }
        sure = structure.confidence
        judged = {
            "trust": sure.trust if sure else "",
            "score": _write_number(sure.score if sure else None),
            "reasons": "; ".join(sure.reasons) if sure else "",
        }
        yield {**first, **(_describe(whole, length, place) if whole else {}), **judged}
        for lesion in structure.lesions:
            yield {
                "structure": structure.name,
                "lesion": str(lesion.number),
                "lesions": "",
                f"volume [{volume}]": _write_number(lesion.volume),
                **_describe(lesion, length, place),
            }


def _describe(measured: Measured, length: str, place: str) -> Row:
    longest = across = spatial = None
    if isinstance(measured, LesionMeasures):
        longest, across = measured.longest_diameter, measured.perpendicular_diameter
        spatial = measured.spatial_diameter
    return {
        f"longest diameter [{length}]": _write_number(longest),
        f"perpendicular [{length}]": _write_number(across),
        f"spatial diameter [{length}]": _write_number(spatial),
        **_spread(f"xyz [{place}]", measured.centre),
        **_spread("ijk [voxel]", measured.centre_voxel),
        "touches border": "yes" if measured.touches_border else "no",
        **{
            f"{name} {key}{f' [{values.unit}]' if values.unit and key != 'covered' else ''}": _write_number(
                getattr(values, key)
            )
            for name, values in measured.values.items()
            for key in ("mean", "sd", *PERCENTILES, "covered")
        },
    }


def _spread(names: str, values: tuple[float, float, float]) -> Row:
    """A column for each letter of the first word."""
    axes, rest = names.split(" ", 1)
    return {f"{axis} {rest}": _write_number(value) for axis, value in zip(axes, values, strict=True)}


def _write_number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _write_json(result: Result, path: Path) -> None:
    write_measures(result.measures, path)


def _write_csv(result: Result, path: Path) -> None:
    write_table(result.measures, path)


FORMAT = Format(name="measures", ending=".measures.json", unit=None, check=check_nothing, write=_write_json, read=None)
TABLE = Format(name="measures-csv", ending=".measures.csv", unit=None, check=check_nothing, write=_write_csv, read=None)
