"""`medunet init`: find cases, measure, plan, write the bundle."""

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from medunet import api
from medunet.cli.arguments import ChannelsOption, CohortArgument, ObjectsOption, parse_gib, parse_minutes
from medunet.cli.plan import describe_plan
from medunet.cli.screen import screen


def init(
    cohort: CohortArgument,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to make.", show_default=False)],
    budget: Annotated[str, typer.Option(help="Training time to plan for, like 45m or 2h.")] = "45m",
    dims: Annotated[
        int | None, typer.Option(help="3, or 2 for slices.", min=2, max=3, show_default="2 if every image is one slice")
    ] = None,
    ram: Annotated[str, typer.Option(help="Memory for training, like 8G.", show_default="half, at most 8G")] = "",
    channels: ChannelsOption = "",
    objects: ObjectsOption = False,
) -> None:
    """Find cases, measure them, plan, and write a bundle."""
    from medunet.reading import unpack_beside  # brings pydantic, which --help doesn't need

    with screen(), unpack_beside(cohort, bundle) as place:
        planned = api.init(
            place,
            bundle,
            dims=cast(Literal[2, 3] | None, dims),
            budget_minutes=parse_minutes(budget),
            memory_gib=parse_gib(ram) if ram else None,
            channels=channels.split(",") if channels else None,
            objects=objects,
        )
    describe_plan(planned)
    print(f"wrote {bundle}; next: medunet train {bundle}")
