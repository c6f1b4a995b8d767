"""`medunet init`: find cases, measure, plan, write the bundle."""

from pathlib import Path
from typing import Annotated, Any

import typer

from medunet import api
from medunet.cli.arguments import CohortArgument
from medunet.cli.labels import take_labels
from medunet.cli.plan import describe_plan
from medunet.cli.screen import screen
from medunet.cli.wishes import take_wishes


@take_labels
@take_wishes
def init(
    cohort: CohortArgument,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to make.", show_default=False)],
    wishes: dict[str, Any],
    labels: Any,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="OTHER",
            help="Go on from this bundle, of medunet or MONAI's zoo: its network, chain, window and weights.",
            show_default="a network of its own",
        ),
    ] = None,
) -> None:
    """Plan for a cohort, and write a bundle.

    Its cases are found and measured; the plan follows from them.
    """
    from medunet.archives import unpack_beside

    with screen(), unpack_beside(cohort, bundle) as place:
        planned = api.init(place, bundle, labels=labels, source=source, **wishes)
    describe_plan(planned)
    print(f"wrote {bundle}; why: medunet plan {bundle} --explain; next: medunet train {bundle}")
