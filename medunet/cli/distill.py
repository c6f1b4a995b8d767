"""`medunet distill`: a small network that learns from a bundle."""

from pathlib import Path
from typing import Annotated, Any

import typer

from medunet import api
from medunet.cli.arguments import NamedBundleArgument, parse_fold, parse_minutes
from medunet.cli.plan import describe_plan
from medunet.cli.screen import screen
from medunet.cli.teaching import take_teaching
from medunet.cli.train import describe_training


@take_teaching
def distill(
    bundle: NamedBundleArgument,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.", show_default=False)],
    wanted: dict[str, Any],
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="K|all|none",
            help="Fold to train, or all; none leaves it to medunet train.",
            show_default="those of the teacher",
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Training time of each fold, like 45m or 2h.", show_default="the teacher's")
    ] = None,
) -> None:
    """Train a small, fast network by a bundle.

    It predicts a scan of the stated size in the stated seconds on this machine; the bundle's probabilities teach it
    beside the labels, of each fold those of the network that never saw its patients. OUT is a bundle as any other:
    medunet train goes on with it.
    """
    number = None if fold in (None, "none") else parse_fold(str(fold))
    minutes = None if budget is None else parse_minutes(budget)
    with screen():
        planned = api.distill(bundle, output, budget_minutes=minutes, fold=number, **wanted)
    describe_plan(planned)
    if fold == "none":
        print(f"wrote {output}; next: medunet train {output}")
        return
    from medunet.distilling import choose_fold

    with screen():
        describe_training(output, choose_fold(output) if fold is None else number, {})
