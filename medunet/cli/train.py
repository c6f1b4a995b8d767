"""`medunet train`: train, resume, finish."""

from pathlib import Path
from typing import Annotated, Any

import typer

from medunet import api
from medunet.cli.arguments import BundleArgument, FoldOption, TrustOption, parse_fold, parse_minutes
from medunet.cli.screen import is_first_rank, screen


def train(
    bundle: BundleArgument,
    fold: FoldOption = "0",
    budget: Annotated[
        str | None, typer.Option(help="Training time of each fold, like 45m or 2h.", show_default="the plan's")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="BUNDLE", help="Start from its weights, as far as they fit.", show_default="random"
        ),
    ] = None,
    patience: Annotated[
        int,
        typer.Option(
            min=0, help="End after so many validations without a gain; counts at the first start.", show_default="never"
        ),
    ] = 0,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew; the older run is kept.")] = False,
    trust: TrustOption = False,
) -> None:
    """Train a bundle, or go on with it.

    Training that was interrupted goes on where it stopped.
    With --fold all every fold is trained, one after the other; those that are trained stay. Each patient is then
    scored by the network that never saw it, and the bundle becomes an ensemble of all networks.
    """
    number, minutes = parse_fold(fold), None if budget is None else parse_minutes(budget)
    how: dict[str, Any] = {"budget_minutes": minutes, "restart": restart, "source": source}
    how |= {"patience": patience, "trust": trust}
    with screen():
        describe_training(bundle, number, how)


def describe_training(bundle: Path, fold: int | None, how: dict[str, Any]) -> None:
    """Train a fold or all, and print what came of it.

    Args:
        bundle: that is trained.
        fold: None for all.
        how: further arguments of `medunet.train`.
    """
    if fold is None:
        result = api.train_folds(bundle, **how)
        wrote = f"{len(result.weights)} files of weights beside {result.weights[0]}, and {result.scores}"
    else:
        wrote = str(api.train(bundle, fold=fold, **how))
    if not is_first_rank():
        return
    if fold is None:
        print(result.table)
    print(f"wrote {wrote}; next: medunet evaluate {bundle}, or medunet predict {bundle} SCAN -o OUT")
