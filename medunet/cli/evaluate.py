"""`medunet evaluate`: scores beside floors."""

from pathlib import Path
from typing import Annotated

import typer

from medunet import api
from medunet.cli.arguments import BundleArgument, TrustOption
from medunet.cli.screen import screen


def evaluate(
    bundle: BundleArgument,
    cohort: Annotated[Path | None, typer.Option(help="Other patients to score.", show_default="held-out ones")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Masks from medunet predict.", show_default="made now")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for scores, pictures and page.")] = None,
    trust: TrustOption = False,
) -> None:
    """Score a bundle on held-out patients.

    On patients that it wasn't trained on, beside two floors that don't learn.
    """
    with screen():
        result = api.evaluate(bundle, cohort=cohort, predictions=predictions, output=output, trust=trust)
    print(result.table)
    print(f"picture: {result.picture}\nreport: {result.report}")
