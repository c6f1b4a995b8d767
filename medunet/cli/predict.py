"""`medunet predict`: masks on the source grid, any number of scans."""

from pathlib import Path
from typing import Annotated

import typer

from medunet import api
from medunet.cli.arguments import BundleArgument
from medunet.cli.screen import screen
from medunet.errors import InputError


def predict(
    bundle: BundleArgument,
    scans: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCAN...", help="Files, series' or patients' folders, folders of PNG."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the masks.")] = Path("masks"),
    image: Annotated[list[str] | None, typer.Option(metavar="NAME=PATH", help="One path for each channel.")] = None,
) -> None:
    """Predict scans and write their masks as NIfTI on the grid of the scan, as PNG for pictures."""
    from medunet.records import measure_peak_memory  # brings pydantic, which --help doesn't need

    images = dict(_split(item) for item in image or [])
    if not scans and not images:
        raise InputError("medunet predict", "no scan is given", "name files or folders, or --image NAME=PATH")
    with screen():
        predictions = api.predict(bundle, *(scans or []), output=output, images=images)
    for item in predictions:
        unit, digits = ("mL", 1) if item.mask.grid.unit == "mm" else ("px", 0)
        volumes = ", ".join(f"{name} {volume:.{digits}f} {unit}" for name, volume in item.mask.volumes_ml().items())
        print(f"{item.path}: {volumes} ({item.seconds:.1f} s)")
    print(f"peak memory {measure_peak_memory() / 2**30:.2f} GiB")


def _split(item: str) -> tuple[str, Path]:
    name, sign, path = item.partition("=")
    if not sign or not path:
        raise InputError(f"--image {item}", "it is not NAME=PATH", "write it like --image ct=scans/CT")
    return name, Path(path)
