"""`medunet predict`: masks on the source grid, any number of scans."""

from pathlib import Path
from typing import Annotated

import typer

from medunet import api
from medunet.cli.arguments import BundleArgument, parse_names
from medunet.cli.inputs import Inputs, take_inputs
from medunet.cli.screen import screen
from medunet.errors import InputError


@take_inputs
def predict(
    bundle: BundleArgument,
    inputs: Inputs,
    scans: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCAN...", help="Files, series' or patients' folders or zips of them, folders of PNG."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the masks.")] = Path("masks"),
    box: Annotated[
        str | None, typer.Option(metavar="X0:X1,Y0:Y1,Z0:Z1", help="Only this box, in RAS mm.", show_default="all")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", help="nifti, seg (DICOM SEG) or nifti,seg.", show_default="nifti, or png of pictures"),
    ] = None,
    empty_seg: Annotated[
        bool, typer.Option("--empty-seg/--no-empty-seg", help="Write a SEG where nothing was found, too.")
    ] = True,
) -> None:
    """Predict scans and write their masks on the grid of the scan, as NIfTI, DICOM SEG or both; as PNG for pictures."""
    # These bring pydantic, which --help doesn't need.
    from medunet.archives import unpack_archives
    from medunet.machine import measure_peak_memory

    if not scans and not inputs.images:
        raise InputError("medunet predict", "no scan is given", "name files or folders, or --image NAME=PATH")
    names = parse_names(formats, "--format") or []
    with screen(), unpack_archives(scans or []) as paths:
        predictions = api.predict(
            bundle,
            *paths,
            output=output,
            images=inputs.images,
            options=inputs.options,
            box=box,
            formats=names,
            empty_seg=empty_seg,
        )
    for item in predictions:
        unit, digits = ("mL", 1) if item.mask.grid.unit == "mm" else ("px", 0)
        volumes = ", ".join(f"{name} {volume:.{digits}f} {unit}" for name, volume in item.mask.volumes_ml().items())
        if item.mask.kind == "instances":
            volumes += f", {len(item.mask.find_sizes())} objects"
        files = ", ".join(map(str, item.files.values())) or item.id
        print(f"{files}: {volumes} ({item.seconds:.1f} s)")
        if "seg" in names and not item.mask.voxels.any():
            print(f"{item.id}: nothing was found; {'the SEG is valid and empty' if empty_seg else 'no SEG is written'}")
    print(f"peak memory {measure_peak_memory() / 2**30:.2f} GiB")
