"""Options of a command that writes predictions: where, and as what."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from medunet.cli.arguments import parse_gib, parse_names
from medunet.cli.inputs import share_options


def make_outputs(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the masks.")] = Path("masks"),
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Of nifti, seg (DICOM SEG), rtstruct (DICOM contours, rtstruct-inner with holes "
            "as contours of their own), probabilities, with a comma between; measures "
            "and measures-csv are always written.",
            show_default="nifti, or png of pictures",
        ),
    ] = None,
    picture: Annotated[
        bool, typer.Option("--picture", help="A PNG beside each mask: three planes with outlines, all channels.")
    ] = False,
    empty_seg: Annotated[
        bool, typer.Option("--empty-seg/--no-empty-seg", help="Write a SEG or RTSTRUCT where nothing was found, too.")
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that something else has made.")] = False,
    ram: Annotated[
        str | None, typer.Option(help="Memory for a prediction, like 4G.", show_default="what is free")
    ] = None,
    scratch: Annotated[
        Path | None, typer.Option(help="Folder for what doesn't fit the memory.", show_default="that of the masks")
    ] = None,
) -> dict[str, Any]:
    """Arguments of `medunet.predict_each` that say what is written, and of what it is made.

    Raises:
        InputError: `--format` names nothing, or `--ram` is no amount.
    """
    names = [*(parse_names(formats, "--format") or []), *(["picture"] if picture else [])]
    given = {"output": output, "formats": names, "empty_seg": empty_seg, "overwrite": overwrite}
    if ram is not None:
        given["ram_gib"] = parse_gib(ram)
    return given if scratch is None else {**given, "scratch": scratch}


def take_outputs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_outputs`; it gets what they say as its argument `outputs`."""
    return share_options(command, make_outputs, "outputs")
