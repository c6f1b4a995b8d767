"""Verb about several scores: compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from medunet.api.arguments import Above, verb
from medunet.errors import InputError, MissingInputError
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.evaluation import Comparison, Measure, Scores

SCORES = "scores.json"
SIZE = "size"
"""Column of groups that scores have themselves: the volume of the truth."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What methods gain over the first of them.

    Attributes:
        comparison: all of it.
        table: lines of text.
        report: the HTML page.
        picture: the SVG.
        spreadsheet: gains of each case as a CSV.
    """

    comparison: "Comparison"
    table: str
    report: Path
    picture: Path
    spreadsheet: Path


@verb
def compare(
    methods: Sequence[PathLike],
    *,
    truth: PathLike | None = None,
    measure: "Measure | None" = None,
    margin: Annotated[float, Above(0, equal=True)] | None = None,
    by: str | None = None,
    table: PathLike | None = None,
    output: PathLike = "comparison",
) -> Compared:
    """Compare methods with the first of them, patient by patient, over the cases that both scored.

    Args:
        methods: two at least: a folder that `evaluate` or `evaluate_masks` wrote, its `scores.json`, a bundle that was
            evaluated, or with `truth` a folder of masks.
        truth: folder of masks that count as right, for folders of masks.
        measure: by its name in `scores.json`: `dice`, `iou`, `nsd`, `hd95_mm`, `assd_mm`, `lesion_f1`, or of objects
            `precision` and `panoptic`; `dice`, or `precision` of objects, if not given.
        margin: a loss that counts as none, like 0.02: it is said which methods lose no more.
        by: column of groups in `table`, or in that of which the first method was evaluated; `size` is the volume of the
            truth. Numbers of more than six values make three groups.
        table: CSV with the column `case`; of folders of masks also `contoured`, as in `evaluate_masks`.
        output: folder for the table, the picture and the page.

    Raises:
        MissingInputError: a method or a table isn't there.
        OutputExistsError: the output exists.
        InputError: fewer than two methods, no case in common, scores of different kinds, or no such column.
    """
    from medunet.evaluation import compare_scores
    from medunet.evaluation.comparison import Wish
    from medunet.files import check_free, whole_folder
    from medunet.records import write_record
    from medunet.report import describe_comparison, write_comparison

    paths = [Path(path) for path in methods]
    if len(paths) < 2:
        few = f"{len(paths)} method{'' if len(paths) == 1 else 's'} given"
        raise InputError("compare", few, "give two or more", code="option-wrong")
    target = Path(output)
    check_free(target)
    given = dict(zip(_name(paths), (_open(path, truth, table) for path in paths), strict=True))
    groups = None if by is None else (by, _find_groups(by, next(iter(given.values())), table))
    found = compare_scores(given, Wish(measure, margin, groups))
    with whole_folder(target) as part:
        write_record(part / "comparison.json", found)
        write_comparison(part, found)
    files = (target / f"comparison.{ending}" for ending in ("html", "svg", "csv"))
    return Compared(found, describe_comparison(found), *files)


def _name(paths: Sequence[Path]) -> list[str]:
    """A name for each: of its folder, with as many folders above as tell them apart."""
    places = [path.absolute().parent if path.name == SCORES else path.absolute() for path in paths]
    if len({*places}) < len(places):
        twice = next(str(path) for n, path in enumerate(paths) if places[n] in places[:n])
        raise InputError(twice, "it is given twice", "give it once", code="option-wrong")
    for depth in range(1, max(len(place.parts) for place in places) + 1):
        names = ["/".join(place.parts[-depth:]) for place in places]
        if len({*names}) == len(names):
            return names
    raise ValueError("different paths differ")


def _open(path: Path, truth: PathLike | None, table: PathLike | None) -> "Scores":
    """The scores of a method, of masks by scoring them now."""
    from medunet.evaluation import Naming, Scores, Wanted, find_pairs, score_pairs
    from medunet.files import check_input
    from medunet.records import read_record

    check_input(path)
    places = (path / SCORES, path / "work" / "evaluation" / SCORES)
    file = path if path.is_file() else next((place for place in places if place.is_file()), None)
    if file is not None:
        return read_record(file, Scores)
    if (path / "configs").is_dir():
        raise MissingInputError(path, "it wasn't evaluated", f"medunet evaluate {path}", code="path-missing")
    if truth is None:
        remedy = "evaluate it, or give --truth if it holds masks"
        raise MissingInputError(path, f"it holds no {SCORES}", remedy, code="path-missing")
    naming = Naming(None)
    pairs = find_pairs(path, Path(truth), None, None if table is None else Path(table))
    return score_pairs(pairs, Wanted(naming, naming), lambda *_: None)


def _find_groups(by: str, base: "Scores", table: PathLike | None) -> dict[str, str]:
    """The value of a column for each case."""
    from medunet.evaluation.pairs import read_table
    from medunet.files import check_input
    from medunet.records import suggest

    if by == SIZE and table is None:
        sizes: dict[str, float] = {}
        for item in base.of_first():
            sizes[item.case] = sizes.get(item.case, 0.0) + item.truth_ml
        return {case: f"{size:.6g}" for case, size in sizes.items()}
    if table is not None:
        check_input(Path(table))
    rows = read_table(Path(table)) if table is not None else base.pairing.columns if base.pairing else {}
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    if by not in columns:
        remedy = suggest(by, [*columns, SIZE]) if columns else f"give --table, or --by {SIZE}"
        raise InputError(f"--by {by}", "there is no such column", remedy, code="option-wrong")
    return {case: row.get(by, "") for case, row in rows.items()}
