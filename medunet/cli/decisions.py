"""Options of a command that say how a scan is computed, and what of that becomes the mask."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

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
    preset: Annotated[
        Literal["exact", "fast"],
        typer.Option(help="exact: float32. fast: bfloat16 if the CPU has it, fewer patches, a CT's body only."),
    ] = "exact",
    backend: Annotated[
        Literal["torch", "openvino"] | None,
        typer.Option(help="What runs the network.", show_default="openvino on a CPU, if it is there"),
    ] = None,
    box: Annotated[
        str | None, typer.Option(metavar="X0:X1,Y0:Y1,Z0:Z1", help="Only this box, in RAS mm.", show_default="all")
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="The mean over all mirror images: 8 times the work, 4 for slices.")
    ] = False,
) -> dict[str, Any]:
    """Arguments of `medunet.predict_each` that say how a scan is computed and what becomes the mask.

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
    given = {"smallest": smallest, "backend": backend, "preset": preset if preset != "exact" else None, "box": box}
    made |= {name: value for name, value in given.items() if value is not None}
    if mirror:
        made["mirror"] = True
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
