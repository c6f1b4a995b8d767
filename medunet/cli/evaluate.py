"""`medunet evaluate`: scores of a bundle beside floors, or of masks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from medunet import api
from medunet.cli.arguments import TrustOption, parse_names
from medunet.cli.inputs import share_options
from medunet.cli.screen import screen
from medunet.errors import InputError

if TYPE_CHECKING:
    from medunet.labels import LabelTable


def make_scoring(
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Fit a temperature on held-out patients and keep it in BUNDLE.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Let the page hold all cases for its viewer, whole and on their own grids.")
    ] = False,
    trust: TrustOption = False,
) -> dict[str, bool]:
    """How a bundle is scored, as arguments of `medunet.evaluate`."""
    return {"calibrate": calibrate, "full": full, "trust": trust}


def make_masks(
    truth: Annotated[
        Path | None, typer.Option(help="Without BUNDLE: folder of masks that count as right, by the same names.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of what they were made on; contours need it.", show_default="none")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Columns case, pred, truth (image), in place of folders; patient, contoured, and subgroups.",
        ),
    ] = None,
    tolerance: Annotated[
        str | None,
        typer.Option(metavar="MM|LABEL=MM,…", help="Of NSD, for all or for each label.", show_default="2"),
    ] = None,
    missing: Annotated[
        Literal["absent", "unknown"] | None,
        typer.Option(
            help="Where a truth lacks a label that others have: absent (there is none), or unknown (not contoured).",
            show_default="absent",
        ),
    ] = None,
) -> dict[str, Any]:
    """Arguments of `medunet.evaluate_masks`; of those that aren't given none.

    Raises:
        InputError: one isn't written as its metavar says.
    """
    given = {
        "truth": truth,
        "images": images,
        "table": table,
        "tolerance_mm": _parse_tolerance(tolerance),
        "missing": missing,
    }
    return {name: value for name, value in given.items() if value is not None}


def make_naming(
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE=NAME,…|JSON",
            help="Names of values, like 1=liver,2=tumor, or the structures that count; or a file as of convert.",
            show_default="what masks say",
        ),
    ] = None,
    pred_labels: Annotated[
        str | None, typer.Option(metavar="VALUE=NAME,…|JSON", help="The same of predictions.", show_default="alike")
    ] = None,
    objects: Annotated[bool, typer.Option("--objects", help="Masks number objects of one label.")] = False,
) -> dict[str, Any]:
    """What values of masks mean, as arguments of `medunet.evaluate_masks`; of those that aren't given none.

    Raises:
        InputError: one isn't written as its metavar says.
    """
    names = _parse_labels(labels, "--labels")
    given = {
        "labels": _number_objects(names) if objects else names,
        "prediction_labels": _parse_labels(pred_labels, "--pred-labels"),
    }
    return {name: value for name, value in given.items() if value is not None}


def _parse_labels(text: str | None, option: str) -> "dict[int, str] | list[str] | LabelTable | None":
    if text is not None and text.lower().endswith(".json"):
        from medunet.conversion import read_labels

        said = read_labels(Path(text))
        return list(said) if isinstance(said, tuple) else said
    names = parse_names(text, option)
    if names is None or not any("=" in name for name in names):
        return names
    pairs: dict[int, str] = {}
    for item in names:
        value, _, name = (part.strip() for part in item.partition("="))
        if not (value.isascii() and value.isdecimal() and name) or int(value) in pairs or int(value) == 0:
            found = "it is no list of VALUE=NAME, each value above 0 and once"
            raise InputError(f"{option} {text}", found, "write it like 1=liver,2=tumor", code="option-wrong")
        pairs[int(value)] = name
    if len(set(pairs.values())) < len(pairs):
        found = "two values have one name"
        raise InputError(f"{option} {text}", found, "name a region of both in a file of labels", code="option-wrong")
    return pairs


def _number_objects(names: "dict[int, str] | list[str] | LabelTable | None") -> "LabelTable":
    """The table of the one label whose objects masks number."""
    from medunet.labels import LabelTable

    if isinstance(names, LabelTable):
        return names.model_copy(update={"objects": True})
    known = ["object"] if names is None else list(names.values()) if isinstance(names, dict) else names
    if len(known) != 1:
        found = f"--labels names {len(known)}, and objects are all of one label"
        raise InputError("--objects", found, "name one", code="option-wrong")
    return LabelTable.from_names(known, objects=True)


def _parse_tolerance(text: str | None) -> float | dict[str, float] | None:
    if text is None:
        return None
    named: dict[str, float] = {}
    for item in text.split(","):
        name, sign, value = (part.strip() for part in item.rpartition("="))
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number < 1e6 or (sign and not name) or name in named:
            found = "it is no distance, or no list of LABEL=MM"
            raise InputError(f"--tolerance {text}", found, "write it like 2 or liver=3,tumor=1", code="option-wrong")
        named[name] = number
    if "" not in named:
        return named
    if len(named) > 1:
        found = "it holds a distance for all beside those of labels"
        raise InputError(f"--tolerance {text}", found, "name a label for each", code="option-wrong")
    return named[""]


def _take_masks(command: Any) -> Any:
    return share_options(command, make_masks, "masks")


def _take_naming(command: Any) -> Any:
    return share_options(command, make_naming, "naming")


def _take_scoring(command: Any) -> Any:
    return share_options(command, make_scoring, "scoring")


@_take_naming
@_take_masks
@_take_scoring
def evaluate(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.", show_default="none")
    ] = None,
    cohort: Annotated[Path | None, typer.Option(help="Other patients to score.", show_default="held-out ones")] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions", "--pred", help="Masks, of a bundle from medunet predict.", show_default="made now"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for scores, pictures and page.",
            show_default="work/evaluation of BUNDLE, or evaluation",
        ),
    ] = None,
    scoring: Any = None,
    masks: Any = None,
    naming: Any = None,
) -> None:
    """Score a bundle on held-out patients, or masks against masks.

    A bundle on patients that it wasn't trained on, beside two floors that don't learn. Without a bundle the masks of
    --pred against those of --truth, whoever made them. Exit code 2 where a prediction or a truth is missing or a case
    can't be scored: it is listed, and the others are scored.
    """
    masks = {**masks, **naming}
    if bundle is not None:
        if masks:
            option = next(iter(masks)).replace("prediction_", "pred-").replace("_mm", "")
            remedy = "leave BUNDLE out to score masks, or leave the option out"
            raise InputError(f"--{option}", "it is of masks without a bundle", remedy, code="option-wrong")
        with screen():
            result = api.evaluate(bundle, cohort=cohort, predictions=predictions, output=output, **scoring)
    else:
        full = scoring.pop("full")
        given = {"cohort": cohort is not None, **scoring}
        if option := next((name for name, is_given in given.items() if is_given), None):
            raise InputError(f"--{option}", "it is of a bundle, and none is named", "name BUNDLE", code="option-wrong")
        with screen():
            result = api.evaluate_masks(predictions, output=output or Path("evaluation"), full=full, **masks)
    print(result.table)
    print(f"picture: {result.picture}\nreport: {result.report}\nscores: {result.spreadsheet}")
    pairing = result.scores.pairing
    if pairing is not None and not pairing.is_whole:
        raise typer.Exit(2)
