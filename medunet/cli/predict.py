"""`medunet predict`: masks on the source grid, any number of scans."""

import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medunet import api
from medunet.cli.arguments import NamedBundleArgument
from medunet.cli.decisions import take_decisions
from medunet.cli.inputs import Inputs, take_inputs
from medunet.cli.outputs import take_outputs
from medunet.cli.running import take_running
from medunet.cli.screen import screen
from medunet.cli.series import take_choosing
from medunet.errors import InputError

if TYPE_CHECKING:
    from medunet.inference import Prediction, Refusal

LISTED = 3
"""Refusals of one kind in a row that the table shows."""


SCANS = (
    "Files, folders of them, series' or patients' folders, zips; or all cases of a COHORT: CSV, JSON lines, "
    "cohort.json, dataset's folder (imagesTs, else imagesTr), images/; alone a DICOM tree."
)


@take_outputs
@take_running
@take_decisions
@take_choosing
@take_inputs
def predict(
    bundle: NamedBundleArgument,
    inputs: Inputs,
    outputs: dict[str, Any],
    decisions: dict[str, Any],
    running: dict[str, Any],
    choosing: dict[str, Any],
    scans: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCAN...|COHORT", help=SCANS),
    ] = None,
) -> None:
    """Segment scans, and write their masks.

    Masks lie on the grid of the scan, as NIfTI, DICOM SEG, RTSTRUCT or several of them; as PNG for pictures.
    A scan or case that is refused doesn't end it: the others are done, and the exit code is 2. The same command again
    goes on: what the same weights and options have made of the same scan stays.
    """
    # These bring pydantic, which --help doesn't need.
    from medunet.archives import unpack_archives
    from medunet.inference import Prediction
    from medunet.machine import measure_peak_memory

    if not scans and not inputs.images:
        raise InputError("medunet predict", "no scan is given", "name files or folders, or --image NAME=PATH")
    results: list[Prediction | Refusal] = []
    with screen(), unpack_archives(scans or []) as paths:
        for item in api.predict_each(
            bundle,
            *paths,
            *inputs.images,
            options=inputs.options,
            **{**running, **outputs, **decisions, **choosing},
        ):
            results.append(item)
            if isinstance(item, Prediction):
                _print_done(
                    item, empty_seg=outputs["empty_seg"], seg=any(name.startswith("seg") for name in outputs["formats"])
                )
            else:
                print(f"medunet: {item.error}", file=sys.stderr)
    refused = [item for item in results if not isinstance(item, Prediction)]
    if len(results) > 1:
        _print_table(results)
    if len(refused) < len(results):
        print(f"peak memory {measure_peak_memory() / 2**30:.2f} GiB")
    if refused:
        raise typer.Exit(2)


def _print_done(item: "Prediction", *, empty_seg: bool, seg: bool) -> None:
    files = ", ".join(map(str, _list_named(item))) or item.id
    took = "there already" if item.kept else f"{item.seconds:.1f} s"
    trust = f"; trust: {item.confidence.trust}" if item.confidence else ""
    print(f"{files}: {_say_volumes(item)} ({took}){trust}")
    if seg and item.status == "nothing found":
        print(f"{item.id}: nothing was found; {'the SEG is valid and empty' if empty_seg else 'no SEG is written'}")


def _list_named(item: "Prediction") -> list[Path]:
    """The files but what is measured, which lies beside every mask."""
    return [path for name, path in item.files.items() if not name.startswith("measures")]


def _say_volumes(item: "Prediction") -> str:
    unit, digits = ("mL", 1) if item.unit == "mm" else ("px", 0)
    volumes = ", ".join(f"{name} {volume:.{digits}f} {unit}" for name, volume in item.volumes.items())
    return volumes if item.objects is None else f"{volumes}, {item.objects} objects"


def _tell_apart(numbered: "tuple[int, Prediction | Refusal]") -> object:
    """What refusals in a row have in common that the table cuts short; a prediction stands for itself."""
    from medunet.inference import Prediction

    number, item = numbered
    return number if isinstance(item, Prediction) else (item.error.code, item.error.found, item.error.remedy)


def _print_table(results: "list[Prediction | Refusal]") -> None:
    """A line for each input: what came of it, how far it can be relied on and why not, and from where to where."""
    from medunet.inference import Prediction

    width = max(len(item.status) for item in results)
    trusts = [item.confidence.trust if isinstance(item, Prediction) and item.confidence else "" for item in results]
    widest = max(map(len, trusts))
    wide = widest + 2 if widest else 0
    for _, alike in groupby(enumerate(results), _tell_apart):
        numbers = [number for number, _ in alike]
        for number in numbers[:LISTED]:
            item, trust = results[number], trusts[number]
            if isinstance(item, Prediction):
                last = f" -> {', '.join(path.name for path in _list_named(item)) or 'no file'}"
            else:
                said, source = str(item.error), f"{item.source}: "
                last = f": {said.removeprefix(source)}" if said.startswith(source) else f" -> {said}"
            print(f"{item.status:{width}}  {trust:{wide}}{item.source}{last}")
            if isinstance(item, Prediction):
                for warning in item.warnings:
                    print(f"{'':{width}}  {'':{wide}}doubtful: {warning}")
                for reason in item.confidence.list_reasons() if item.confidence else ():
                    if reason not in item.warnings:
                        print(f"{'':{width}}  {'':{wide}}{trust}: {reason}")
        if len(numbers) > LISTED:
            print(f"{'':{width}}  {'':{wide}}… and {len(numbers) - LISTED} more, refused alike")
    done = [item for item in results if isinstance(item, Prediction)]
    kept = sum(item.kept for item in done)
    found = sum(item.status == "segmented" for item in done)
    counts = f"{found} segmented, {len(done) - found} with nothing found, {len(results) - len(done)} refused"
    print(f"{counts}{f'; {kept} of them were there already' if kept else ''}")
