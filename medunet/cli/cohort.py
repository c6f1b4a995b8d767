"""`medunet cohort`: what is done with a cohort beside training on it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from medunet import api
from medunet.cli.arguments import ChannelsOption, CohortArgument, parse_names
from medunet.cli.labels import take_labels
from medunet.cli.screen import screen
from medunet.errors import InputError

app = typer.Typer(help="Bring a cohort into another tool's layout.", no_args_is_help=True)


@app.callback()
def _name_the_command() -> None:
    """Keep `export` a command of its own while it is the only one."""


@app.command()
@take_labels
def export(
    cohort: CohortArgument,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.", show_default=False)],
    layout: Annotated[
        str | None, typer.Option("--format", metavar="nnunet|msd", help="Whose layout; needed.", show_default=False)
    ] = None,
    channels: ChannelsOption = None,
    labels: Any = None,
) -> None:
    """Write a cohort in another tool's layout.

    As NIfTI, and pictures as PNG, in the layout of nnU-Net or the Medical Segmentation Decathlon.
    """
    if layout is None:
        remedy = "add --format nnunet, or --format msd for the Decathlon's"
        raise InputError("medunet cohort export", "no layout is given", remedy, code="option-wrong")
    from medunet.archives import unpack_archives

    names = parse_names(channels, "--channels")
    with screen(), unpack_archives([cohort]) as (path,):
        found = api.export_cohort(path, output, layout, channels=names, labels=labels)
    names_of = found.labels.describe()
    print(f"wrote {output}: {len(found.cases)} cases of {', '.join(found.channels)} with the labels {names_of}")
