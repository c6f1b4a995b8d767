"""Options of a command that writes predictions: where, and as what."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from medunet.cli.arguments import parse_names
from medunet.cli.inputs import share_options


def make_outputs(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the masks.")] = Path("masks"),
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Of nifti, seg (DICOM SEG, seg-labelmap as a compressed label map), rtstruct (DICOM contours, "
            "rtstruct-inner with holes as contours of their own), sr (DICOM report of what is measured), sc (DICOM "
            "pictures of the slices with outlines), probabilities (NIfTI, seg-fractional as a DICOM SEG), with a comma "
            "between; measures and measures-csv are always written.",
            show_default="nifti, or png of pictures",
        ),
    ] = None,
    picture: Annotated[
        bool, typer.Option("--picture", help="A PNG beside each mask: three planes with outlines, all channels.")
    ] = False,
    page: Annotated[
        bool, typer.Option("--page", help="A page beside each mask: a viewer of it, and what is measured.")
    ] = False,
    empty_seg: Annotated[
        bool, typer.Option("--empty-seg/--no-empty-seg", help="Write a SEG or RTSTRUCT where nothing was found, too.")
    ] = True,
    seg_empty_frames: Annotated[
        Literal["keep", "omit"] | None,
        typer.Option(help="Whether a SEG has frames without a voxel.", show_default="keep"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that something else has made.")] = False,
) -> dict[str, Any]:
    """Arguments of `medunet.predict_each` that say what is written.

    Raises:
        InputError: `--format` names nothing.
    """
    names = [*(parse_names(formats, "--format") or []), *(["picture"] if picture else []), *(["page"] if page else [])]
    given = {"output": output, "formats": names, "empty_seg": empty_seg, "overwrite": overwrite}
    return given if seg_empty_frames is None else {**given, "seg_empty_frames": seg_empty_frames}


def take_outputs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_outputs`; it gets what they say as its argument `outputs`."""
    return share_options(command, make_outputs, "outputs")
