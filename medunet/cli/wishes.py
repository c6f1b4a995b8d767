"""Options of commands that plan: for how long, with how much memory, of which channels."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from medunet.cli.arguments import ChannelsOption, NetworkOption, parse_gib, parse_minutes, parse_names, parse_network
from medunet.cli.inputs import share_options


def make_wishes(
    budget: Annotated[
        str | None, typer.Option(help="Training time to plan for, like 45m or 2h.", show_default="45m")
    ] = None,
    dims: Annotated[
        int | None, typer.Option(help="3, or 2 for slices.", min=2, max=3, show_default="2 if every image is one slice")
    ] = None,
    ram: Annotated[
        str | None, typer.Option(help="Memory for training, like 8G.", show_default="half; at most 8G without a GPU")
    ] = None,
    vram: Annotated[
        str | None, typer.Option(help="Memory of the GPU, like 16G.", show_default="what it has free")
    ] = None,
    channels: ChannelsOption = None,
    network: NetworkOption = None,
) -> dict[str, Any]:
    """Arguments of `medunet.plan` and `medunet.init`; none for an option that isn't given.

    Raises:
        InputError: a time, an amount of memory or a network is none.
    """
    given: dict[str, Any] = {
        "dims": dims,
        "budget_minutes": None if budget is None else parse_minutes(budget),
        "channels": parse_names(channels, "--channels"),
        "network": None if network is None else parse_network(network),
    }
    if ram is not None or vram is not None:
        from medunet.planning import Memory  # brings pydantic, which --help doesn't need

        given["memory"] = Memory(
            ram_gib=None if ram is None else parse_gib(ram, "--ram"),
            vram_gib=None if vram is None else parse_gib(vram, "--vram"),
        )
    return {name: value for name, value in given.items() if value is not None}


def take_wishes(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_wishes`; it gets what they say as its argument `wishes`."""
    return share_options(command, make_wishes, "wishes")
