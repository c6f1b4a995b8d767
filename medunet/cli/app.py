"""The entry point: commands, errors as one sentence with exit code 2, progress."""

import sys
import time

import typer

from medunet.cli.check import check
from medunet.cli.cohort import app as cohort
from medunet.cli.evaluate import evaluate
from medunet.cli.init import init
from medunet.cli.plan import plan
from medunet.cli.predict import predict
from medunet.cli.screen import is_first_rank
from medunet.cli.train import train
from medunet.errors import MedunetError

app = typer.Typer(
    name="medunet",
    help="Segment medical images: from a folder of scans to a MONAI bundle that predicts.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command(name="check")(check)
app.add_typer(cohort, name="cohort")
app.command(name="init")(init)
app.command(name="plan")(plan)
app.command(name="train")(train)
app.command(name="predict")(predict)
app.command(name="evaluate")(evaluate)


def main() -> None:
    """Run the command line; exit code 2 and one sentence for everything that the user can mend."""
    try:
        app()
    except MedunetError as error:
        if not is_first_rank():
            time.sleep(5)  # where the first rank says the same, torchrun ends this one before it repeats it
        print(f"medunet: {error}", file=sys.stderr)
        raise SystemExit(2) from None
