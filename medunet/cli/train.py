"""`medunet train`: train, resume, finish."""

from typing import Annotated

import typer

from medunet import api
from medunet.cli.arguments import BundleArgument, FoldOption, parse_minutes
from medunet.cli.screen import is_first_rank, screen


def train(
    bundle: BundleArgument,
    fold: FoldOption = 0,
    budget: Annotated[str, typer.Option(help="Training time, like 45m or 2h.", show_default="the plan's")] = "",
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew; the older run is kept.")] = False,
) -> None:
    """Train a bundle, or go on where an interrupted run stopped."""
    with screen():
        weights = api.train(
            bundle, fold=fold, budget_minutes=parse_minutes(budget) if budget else None, restart=restart
        )
    if is_first_rank():
        print(f"wrote {weights}; next: medunet evaluate {bundle}, or medunet predict {bundle} SCAN -o OUT")
