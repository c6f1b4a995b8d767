"""Options of a command that runs the network of a bundle: what of it may run, where, and in which memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from medunet.cli.arguments import TrustOption, parse_gib
from medunet.cli.inputs import share_options


def make_running(
    trust: TrustOption = False,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|auto",
            help="Share the scans among the workers of a Ray cluster; auto is that of this machine.",
            show_default="none",
        ),
    ] = None,
    ram: Annotated[
        str | None, typer.Option(help="Memory for a prediction, like 4G.", show_default="what is free")
    ] = None,
    scratch: Annotated[
        Path | None, typer.Option(help="Folder for what doesn't fit the memory.", show_default="that of the masks")
    ] = None,
) -> dict[str, Any]:
    """Arguments of `medunet.predict_each` that say what runs, and where.

    Raises:
        InputError: `--ram` is no amount.
    """
    given = {"ray": ray, "ram_gib": None if ram is None else parse_gib(ram), "scratch": scratch}
    return {"trust": trust} | {name: value for name, value in given.items() if value is not None}


def take_running(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_running`; it gets what they say as its argument `running`."""
    return share_options(command, make_running, "running")
