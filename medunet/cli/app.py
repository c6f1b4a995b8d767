"""The entry point: commands, errors as one sentence with exit code 2, progress."""

import sys
import time
import traceback
from contextvars import copy_context
from itertools import pairwise
from typing import Annotated

import typer

from medunet.cli.bundle import app as bundle
from medunet.cli.check import check
from medunet.cli.cohort import app as cohort
from medunet.cli.compare import compare
from medunet.cli.convert import convert
from medunet.cli.distill import distill
from medunet.cli.evaluate import evaluate
from medunet.cli.init import init
from medunet.cli.package import package
from medunet.cli.plan import plan
from medunet.cli.predict import predict
from medunet.cli.screen import choose_voice, is_first_rank, is_verbose
from medunet.cli.train import train
from medunet.errors import InputError, MedunetError

PATHS = (
    *("-o", "--output", "--bundle", "--from", "--source", "--predictions", "--pred", "--truth", "--images", "--table"),
    *("--json", "--sarif", "--cohort", "--unlabelled"),
)
"""Options whose value is a path."""
app = typer.Typer(
    name="medunet",
    help="Segment medical images: from a folder of scans to a MONAI bundle that predicts.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command(name="check")(check)
app.add_typer(cohort, name="cohort")
app.command(name="init")(init)
app.command(name="plan")(plan)
app.command(name="train")(train)
app.command(name="distill")(distill)
app.command(name="predict")(predict)
app.command(name="evaluate")(evaluate)
app.command(name="compare")(compare)
app.command(name="convert")(convert)
app.command(name="package")(package)
app.add_typer(bundle, name="bundle")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        print(f"medunet {metadata.version('medunet')}")
        raise typer.Exit


@app.callback()
def _take_options(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only warnings, refusals and results.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show also details, what libraries say, and where an error arose.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""
    if quiet and verbose:
        raise InputError("--quiet --verbose", "they contradict each other", "choose one")
    choose_voice(quiet=quiet, verbose=verbose)


def _check_paths(given: list[str]) -> None:
    """Refuse empty paths, which would be the current folder; other options refuse what is empty in their own words.

    Raises:
        InputError: one is empty.
    """
    for before, text in pairwise(["", *given]):
        if not text and (not before.startswith("-") or before in PATHS):
            found, remedy = "a path is empty", "name it (. is the current folder), or leave it out"
            raise InputError(f"medunet {before} ''" if before else "medunet ''", found, remedy, code="option-wrong")


def main() -> None:
    """Run the command line; exit code 2 and one sentence for everything that the user can mend."""
    copy_context().run(_run)  # what the options choose ends with it


def _run() -> None:
    try:
        _check_paths(sys.argv[1:])
        app(prog_name="medunet")
    except MedunetError as error:
        if not is_first_rank():
            time.sleep(5)  # where the first rank says the same, torchrun ends this one before it repeats it
        if is_verbose():
            traceback.print_exception(error)
        print(f"medunet: {error}", file=sys.stderr)
        raise SystemExit(2) from None
