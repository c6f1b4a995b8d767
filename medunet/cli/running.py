"""Options of a command that runs the network of a bundle: what of it may run, and where."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from medunet.cli.arguments import TrustOption
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
) -> dict[str, Any]:
    """Arguments of `medunet.predict_each` that say what runs, and where."""
    return {"trust": trust} | ({} if ray is None else {"ray": ray})


def take_running(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_running`; it gets what they say as its argument `running`."""
    return share_options(command, make_running, "running")
