"""Options of commands that plan: for how long, with how much memory, of which channels."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from medunet.cli.arguments import ChannelsOption, ObjectsOption, parse_gib, parse_minutes
from medunet.cli.inputs import share_options


def make_wishes(
    budget: Annotated[str, typer.Option(help="Training time to plan for, like 45m or 2h.", show_default="45m")] = "",
    dims: Annotated[
        int | None, typer.Option(help="3, or 2 for slices.", min=2, max=3, show_default="2 if every image is one slice")
    ] = None,
    ram: Annotated[
        str, typer.Option(help="Memory for training, like 8G.", show_default="half; at most 8G without a GPU")
    ] = "",
    vram: Annotated[str, typer.Option(help="Memory of the GPU, like 16G.", show_default="what it has free")] = "",
    channels: ChannelsOption = "",
    objects: ObjectsOption = False,
) -> dict[str, Any]:
    """Arguments of `medunet.plan` and `medunet.init`; none for an option that isn't given.

    Raises:
        InputError: a time or an amount of memory is none.
    """
    given: dict[str, Any] = {
        "dims": dims,
        "budget_minutes": parse_minutes(budget) if budget else None,
        "channels": channels.split(",") if channels else None,
        "objects": objects or None,
    }
    if ram or vram:
        from medunet.planning import Memory  # brings pydantic, which --help doesn't need

        given["memory"] = Memory(
            ram_gib=parse_gib(ram, "--ram") if ram else None, vram_gib=parse_gib(vram, "--vram") if vram else None
        )
    return {name: value for name, value in given.items() if value is not None}


def take_wishes(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_wishes`; it gets what they say as its argument `wishes`."""
    return share_options(command, make_wishes, "wishes")
