"""Options of commands that say which series of a scan is a channel of a bundle."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from medunet.cli.inputs import share_options


def make_choosing(
    series_rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME:]RULE",
            help="Which series is a channel, like 'ct: thickness<=3, description!~lung, prefer=thinnest'.",
            show_default="as the bundle's configs/series.json",
        ),
    ] = None,
    each_series: Annotated[
        bool, typer.Option("--each-series", help="Every series that matches is a scan of its own.")
    ] = False,
) -> dict[str, Any]:
    """Arguments of `medunet.predict_each` and `medunet.check` that choose series; none for what isn't given."""
    given = {"series_rules": series_rule, "each_series": each_series}
    return {name: value for name, value in given.items() if value}


def take_choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_choosing`; it gets what they say as its argument `choosing`."""
    return share_options(command, make_choosing, "choosing")
