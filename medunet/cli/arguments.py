"""Arguments that commands share, and reading them."""

from pathlib import Path
from typing import Annotated

import typer

from medunet.errors import InputError

BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.", show_default=False)]
CohortArgument = Annotated[
    Path,
    typer.Argument(
        metavar="COHORT",
        help="Tree of DICOM studies, Decathlon or nnU-Net folder, images/ and labels/ of PNG, cohort.json, CSV or "
        "JSON lines.",
        show_default=False,
    ),
]
ChannelsOption = Annotated[str, typer.Option(help="Only these channels, like ct,pet.", show_default="all")]
ObjectsOption = Annotated[bool, typer.Option("--objects", help="Label maps number the objects of one label.")]
FoldOption = Annotated[
    str, typer.Option("--fold", metavar="K|all", help="Fold whose patients are held out, or all folds.")
]


def parse_fold(text: str) -> int | None:
    """A fold, or None for all.

    Raises:
        InputError: it is neither a number from 0 on nor "all".
    """
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit():
        raise InputError(f"--fold {text}", "it is no fold", "write a number from 0 on, or all")
    return int(text)


def parse_minutes(text: str) -> float:
    """Minutes from 45, 45m, 1.5h or 90s.

    Raises:
        InputError: it is none of these, or not above zero.
    """
    return _parse_amount(text, "--budget", {"s": 1 / 60, "m": 1.0, "h": 60.0}, "45m, 1.5h or 90s")


def parse_gib(text: str) -> float:
    """GiB from 16, 16G or 512M.

    Raises:
        InputError: it is none of these, or not above zero.
    """
    return _parse_amount(text, "--ram", {"G": 1.0, "M": 1 / 1024}, "8G or 512M")


def _parse_amount(text: str, option: str, factors: dict[str, float], example: str) -> float:
    number, factor = (text[:-1], factors[text[-1]]) if text[-1:] in factors else (text, 1.0)
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"{option} {text}", "it is no positive amount", f"write it like {example}")
    return value * factor
