"""Options of a command that decides what of a prediction becomes the mask."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

from medunet.cli.arguments import parse_names
from medunet.cli.inputs import share_options
from medunet.errors import InputError

Texts = list[str] | None


def make_decisions(
    threshold: Annotated[
        Texts, typer.Option(metavar="LABEL=0.3", help="Probability from which on a label is taken; once for each.")
    ] = None,
    keep_largest: Annotated[
        str | None,
        typer.Option(metavar="LABELS|all", help="Keep only the largest part of these.", show_default="as the bundle"),
    ] = None,
    smallest: Annotated[
        str | None,
        typer.Option(metavar="0.1mL", help="Leave smaller parts out; 20px of pictures.", show_default="as the bundle"),
    ] = None,
) -> dict[str, Any]:
    """Arguments of `medunet.predict_each` that say what becomes the mask.

    Raises:
        InputError: an option isn't written so, or names a label twice.
    """
    made: dict[str, Any] = {}
    if threshold:
        made["thresholds"] = dict(map(_split, threshold))
        if len(made["thresholds"]) < len(threshold):
            found = "it names a label twice"
            raise InputError(f"--threshold {threshold[-1]}", found, "keep one of them", code="option-wrong")
    names = parse_names(keep_largest, "--keep-largest")
    if names is not None:
        made["keep_largest"] = names
    if smallest is not None:
        made["smallest"] = smallest
    return made


def _split(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    if not name or not re.fullmatch(r"\d*\.?\d+", number):
        found, remedy = "it is not LABEL=PROBABILITY", "write it like --threshold lesion=0.3"
        raise InputError(f"--threshold {text}", found, remedy, code="option-wrong")
    return name, float(number)


def take_decisions(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_decisions`; it gets what they say as its argument `decisions`."""
    return share_options(command, make_decisions, "decisions")
