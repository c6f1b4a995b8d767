"""Find which prediction belongs to which truth: by their names in two folders, or by a table.

Names lose their endings, those of the files that `predict` writes too: `a.nii.gz`, `a.seg.dcm`, `a.png` and a folder
`a` that holds one mask are the mask of `a`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medunet import reading
from medunet.cohort import read_rows, split_names
from medunet.errors import InputError, MissingInputError, RecordError
from medunet.reading.volume import IMAGES
from medunet.records import suggest
from medunet.writing.formats import FORMATS

NO_MASKS = (".picture.png", *(row.ending for row in FORMATS.values() if row.read is None))
"""Endings of what `predict` writes beside masks."""
ENDINGS = sorted({*IMAGES, ".dcm", *(row.ending for row in FORMATS.values() if row.read)}, key=lambda end: -len(end))
BESIDE = (
    ".json",
    ".csv",
    ".tsv",
    ".txt",
    ".md",
    ".html",
    ".log",
    ".xml",
    ".pdf",
    ".yaml",
    ".yml",
    ".raw",
    ".raw.gz",
    ".zraw",
)
"""Endings of what may lie in a folder beside masks."""
CHANNEL = "_0000"
"""End of the name of a case's first image in nnU-Net's layout."""
COLUMNS = ("case", "pred", "truth", "image", "patient", "contoured")
"""Columns of a table that aren't subgroups."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One case.

    Attributes:
        case: its name.
        truth: file or folder of the mask that counts as right.
        prediction: of the mask in question; None where there is none.
        image: file, or folder of a series, that both were made on; None where it isn't named.
        contoured: names of the labels that somebody looked for in the truth; None where nobody says it.
    """

    case: str
    truth: Path
    prediction: Path | None = None
    image: Path | None = None
    contoured: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """All cases.

    Attributes:
        pairs: those that have a truth, in the order of their names or of the table.
        unpaired: names of predictions that have none.
        patients: of each case, where a table says it.
        columns: what a table says else of each case.
    """

    pairs: tuple[Pair, ...]
    unpaired: tuple[str, ...] = ()
    patients: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def find_pairs(
    predictions: Path | None, truth: Path | None, images: Path | None = None, table: Path | None = None
) -> Pairs:
    """Find all cases.

    Args:
        predictions: folder of masks.
        truth: folder of masks.
        images: folder of what they were made on.
        table: CSV with a column `case`, and `pred` and `truth` (and `image`) where no folders are given, relative to
            its own folder; `patient`, `contoured`, and any others.

    Raises:
        MissingInputError: a folder isn't there.
        InputError: there is no truth, two masks of a folder have one name, or paths are given twice or not at all.
        RecordError: the table is wrong.
    """
    rows = read_table(table) if table else {}
    listed = table is not None and any({"pred", "truth"} & row.keys() for row in rows.values())
    if listed and (predictions or truth or images):
        found = "it names predictions and truths, and so do folders"
        raise InputError(table, found, "leave the columns or the folders out", code="option-wrong")
    unpaired: tuple[str, ...] = ()
    if table and listed:
        pairs = tuple(_list_pairs(table, rows))
    elif predictions and truth:
        pairs, unpaired = _match(predictions, truth, images)
    else:
        found = "predictions and truth aren't both named"
        remedy = "give --pred and --truth, or --table with the columns pred and truth"
        raise InputError("medunet evaluate", found, remedy, code="option-wrong")
    if not pairs:
        raise MissingInputError(truth or table, "it holds no mask", "give masks that count as right")
    further = {name: {key: cell for key, cell in row.items() if key not in COLUMNS} for name, row in rows.items()}
    return Pairs(
        tuple(_add_contoured(pair, rows.get(pair.case, {})) for pair in pairs),
        unpaired,
        {name: row["patient"] for name, row in rows.items() if row.get("patient")},
        {name: row for name, row in further.items() if row},
    )


def _add_contoured(pair: Pair, row: Mapping[str, str]) -> Pair:
    return replace(pair, contoured=tuple(split_names(row["contoured"]))) if row.get("contoured") else pair


def _match(predictions: Path, truth: Path, images: Path | None) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """Pairs by name, and names of predictions that are left."""
    theirs, ours = list_masks(predictions), list_masks(truth)
    seen = {} if images is None else _shorten(list_masks(images))
    pairs = tuple(Pair(name, path, theirs.get(name), seen.get(name)) for name, path in ours.items())
    return pairs, tuple(name for name in theirs if name not in ours)


def _shorten(found: dict[str, Path]) -> dict[str, Path]:
    """Names of images also without the number of their channel."""
    return {name.removesuffix(CHANNEL): path for name, path in found.items()} | found


def list_masks(folder: Path) -> dict[str, Path]:
    """Files and folders of a folder by their names, in order.

    Raises:
        MissingInputError: it isn't there.
        InputError: two have one name.
    """
    if not folder.is_dir():
        raise MissingInputError(folder, "there is no such folder", "check the path", code="path-missing")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        if name.startswith(".") or (path.is_file() and name.endswith((*BESIDE, *NO_MASKS))):
            continue
        case = strip_ending(path.name) if path.is_file() else path.name
        if case in found:
            said = f"{found[case].name} and {path.name} are both of the case {case}"
            raise InputError(folder, said, "take one of them away, or name one with --table", code="name-twice")
        found[case] = path
    return found


def strip_ending(name: str) -> str:
    """Name of a file without the ending of a mask or an image."""
    return reading.strip_ending(name, ENDINGS)


def read_table(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a table by their cases."""
    if not path.is_file():
        raise MissingInputError(path, "there is no such file", "check the path", code="path-missing")
    rows: dict[str, dict[str, str]] = {}
    for line, row in read_rows(path, _check_columns):
        case = row.pop("case")
        if not case or case in rows:
            found = f"the case {case} stands there twice" if case else "its column 'case' is empty"
            raise RecordError(f"{path}, line {line}", found, "name each case once", code="list-wrong")
        rows[case] = row
    if not rows:
        raise RecordError(path, "it lists no case", "add a line for each", code="list-wrong")
    return rows


def _check_columns(columns: list[str], where: str) -> list[str]:
    columns = [name.lower() if name.lower() in COLUMNS else name for name in columns]
    if "case" not in columns:
        raise RecordError(where, "it has no column 'case'", suggest("case", columns), code="list-wrong")
    if ("pred" in columns) != ("truth" in columns):
        found = "it has one of the columns 'pred' and 'truth'"
        raise RecordError(where, found, "give both, or two folders and none", code="list-wrong")
    twice = [name for name in columns if not name or columns.count(name) > 1]
    if twice:
        raise RecordError(where, f"two of its columns are called '{twice[0]}'", "name each once", code="list-wrong")
    return columns


def _list_pairs(path: Path, rows: Mapping[str, Mapping[str, str]]) -> Iterator[Pair]:
    for case, row in rows.items():
        if not row["truth"]:
            raise RecordError(path, f"the case {case} has no truth", "fill it in, or leave it out", code="list-wrong")
        pair = Pair(case, path.parent / row["truth"])
        prediction = path.parent / row["pred"] if row["pred"] else None
        if prediction is not None and prediction.exists():
            pair = replace(pair, prediction=prediction)
        yield replace(pair, image=path.parent / row["image"]) if row.get("image") else pair
