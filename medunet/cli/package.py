"""`medunet package`: a bundle as a container's build folder, and that folder run without Docker."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from medunet.cli.inputs import share_options
from medunet.cli.screen import screen
from medunet.errors import InputError


def make_wishes(
    models: Annotated[
        Literal["array", "object"],
        typer.Option(help="How pkg.json lists the bundle: as the specification, or as MONAI Deploy's packager."),
    ] = "array",
    monai_manifest: Annotated[
        bool, typer.Option("--monai-manifest", help="Manifests in /etc/monai, too; mercure then asks for root.")
    ] = False,
    base: Annotated[str, typer.Option(help="Image with Python 3.11 or later.")] = "python:3.11-slim",
) -> dict[str, Any]:
    """How the container is to be."""
    return {"models": models, "monai_manifest": monai_manifest, "base": base}


def _take_wishes(command: Callable[..., None]) -> Callable[..., None]:
    return share_options(command, make_wishes, "wishes")


@_take_wishes
def package(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Bundle; with --run the build folder.", show_default=False)
    ],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[INPUT OUT]", help="With --run: scan and results.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Build folder to write.", show_default=False)
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Execute the Dockerfile's steps in an environment in its folder, and run it.")
    ] = False,
    target: Annotated[Literal["map", "mercure"], typer.Option(help="Image that --run takes.")] = "map",
    wishes: Any = None,
) -> None:
    """Write a bundle as a container's build folder.

    Its Dockerfile has two images: a MONAI Application Package, and a module of mercure; both have XNAT's command.
    """
    from medunet.deploy.folder import Wishes, write_package

    if run:
        raise typer.Exit(_run(bundle, paths or [], target))
    if output is None or paths:
        raise InputError(
            "medunet package", "it takes BUNDLE and -o DIR, or --run DIR INPUT OUT", "give these", code="option-wrong"
        )
    with screen():
        made = write_package(bundle, output, Wishes(**wishes))
    print(f"{made}: docker build --target map -t {bundle.resolve().name.lower()} {made}")


def _run(folder: Path, paths: list[Path], target: str) -> int:
    from medunet.deploy.steps import build, run_image
    from medunet.files import check_input

    if len(paths) != 2:
        raise InputError(
            "medunet package --run",
            f"{len(paths)} paths follow the build folder",
            "give --run DIR INPUT OUT",
            code="option-wrong",
        )
    check_input(paths[0])
    source, results = (path.resolve() for path in paths)
    results.mkdir(parents=True, exist_ok=True)
    names = (
        ("MERCURE_IN_DIR", "MERCURE_OUT_DIR")
        if target == "mercure"
        else ("HOLOSCAN_INPUT_PATH", "HOLOSCAN_OUTPUT_PATH")
    )
    with screen():
        image = build(folder, target)
    return run_image(image, [], dict(zip(names, map(str, (source, results)), strict=True)))
