"""`medunet init`: find cases, measure, plan, write the bundle."""

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from medunet import api
from medunet.cli.arguments import parse_gib, parse_minutes
from medunet.cli.plan import describe_plan
from medunet.cli.screen import screen


def init(
    cohort: Annotated[
        Path,
        typer.Argument(
            metavar="COHORT",
            help="Tree of DICOM studies, Decathlon or nnU-Net folder, images/ and labels/ of PNG, or cohort.json.",
            show_default=False,
        ),
    ],
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to make.", show_default=False)],
    budget: Annotated[str, typer.Option(help="Training time to plan for, like 45m or 2h.")] = "45m",
    dims: Annotated[
        int | None, typer.Option(help="3, or 2 for slices.", min=2, max=3, show_default="2 if every image is one slice")
    ] = None,
    ram: Annotated[str, typer.Option(help="Memory for training, like 8G.", show_default="half, at most 8G")] = "",
    channels: Annotated[str, typer.Option(help="Only these channels, like ct,pet.", show_default="all")] = "",
    objects: Annotated[bool, typer.Option("--objects", help="Label maps number the objects of one label.")] = False,
) -> None:
    """Find cases, measure them, plan, and write a bundle."""
    with screen():
        planned = api.init(
            cohort,
            bundle,
            dims=cast(Literal[2, 3] | None, dims),
            budget_minutes=parse_minutes(budget),
            memory_gib=parse_gib(ram) if ram else None,
            channels=channels.split(",") if channels else None,
            objects=objects,
        )
    describe_plan(planned)
    print(f"wrote {bundle}; next: medunet train {bundle}")
