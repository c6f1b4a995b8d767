"""`medunet compare`: what methods gain over the first of them, patient by patient."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from medunet import api
from medunet.cli.convert import choose
from medunet.cli.screen import screen

if TYPE_CHECKING:
    from medunet.evaluation import Measure


def compare(
    methods: Annotated[
        list[Path],
        typer.Argument(metavar="A B…", help="Folders of medunet evaluate, evaluated bundles, or folders of masks."),
    ],
    truth: Annotated[
        Path | None, typer.Option(help="Masks that count as right, for folders of masks.", show_default="none")
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="dice|iou|nsd|hd95_mm|assd_mm|lesion_f1|precision|panoptic",
            help="What is compared.",
            show_default="dice, of objects precision",
        ),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Loss that counts as none, like 0.02.", show_default="none")
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Groups of patients, or size.", show_default="none")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="With the column case.", show_default="that of the first evaluation"),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for table, picture and page.")] = Path(
        "comparison"
    ),
) -> None:
    """Compare methods with the first of them.

    Patient by patient, over the cases that both scored: mean gains with intervals and tests, corrected for how many
    there are, wins and losses; with --margin whether a method is not inferior, with --by groups of patients.
    """
    from medunet.evaluation import Measure

    wanted = cast("Measure", choose(measure, get_args(Measure), "--measure")) if measure is not None else None
    with screen():
        found = api.compare(
            list(methods), truth=truth, measure=wanted, margin=margin, by=by, table=table, output=output
        )
    print(found.table)
    print(f"picture: {found.picture}\nreport: {found.report}\ngains: {found.spreadsheet}")
