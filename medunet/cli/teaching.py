"""Options of a command that makes a student: for which scan, in how many seconds, taught by what."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from medunet.cli.inputs import share_options
from medunet.errors import InputError


def make_teaching(
    seconds: Annotated[float, typer.Option(help="That a prediction may take on this machine.", show_default=False)],
    scan: Annotated[str, typer.Option(metavar="XxYxZ", help="Voxels of a scan, like 512x512x300.", show_default=False)],
    spacing: Annotated[
        str, typer.Option(metavar="XxYxZ", help="Millimetres of its voxels, like 0.8x0.8x1.", show_default=False)
    ],
    preset: Annotated[Literal["exact", "fast"], typer.Option(help="With which it is predicted.")] = "exact",
    cohort: Annotated[
        Path | None,
        typer.Option(
            metavar="COHORT",
            help="Of the bundle's training, with its folds, where it came without.",
            show_default=False,
        ),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(metavar="SCANS", help="More scans, of which the bundle alone tells.", show_default="none"),
    ] = None,
    weight: Annotated[float, typer.Option(help="Of what the bundle tells, beside 1 of the labels.")] = 1.0,
) -> dict[str, Any]:
    """Arguments of `medunet.distill`.

    Raises:
        InputError: a size is none.
    """
    voxels = parse_triple(scan, "--scan", "512x512x300")
    if any(size != int(size) for size in voxels):
        raise InputError(f"--scan {scan}", "voxels are whole numbers", "write it like 512x512x300", code="option-wrong")
    return {
        "seconds": seconds,
        "scan": tuple(map(int, voxels)),
        "spacing": parse_triple(spacing, "--spacing", "0.8x0.8x1"),
        "preset": preset,
        "cohort": cohort,
        "unlabelled": unlabelled,
        "weight": weight,
    }


def parse_triple(text: str, option: str, example: str) -> tuple[float, ...]:
    """Three numbers above 0 from 512x512x300.

    Raises:
        InputError: it is something else.
    """
    try:
        values = tuple(float(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        values = ()
    if len(values) != 3 or not all(0 < value < 1e5 for value in values):
        found = "it is no three numbers above 0 with an x between"
        raise InputError(f"{option} {text or repr(text)}", found, f"write it like {example}", code="option-wrong")
    return values


def take_teaching(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_teaching`; it gets what they say as its argument `wanted`."""
    return share_options(command, make_teaching, "wanted")
