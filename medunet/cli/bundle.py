"""`medunet bundle`: which bundles come with medunet, whether one can be handed on, or taken, and its card."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from medunet import api
from medunet.cli.check import count_findings, print_findings, shorten_subject
from medunet.cli.convert import choose
from medunet.cli.screen import screen
from medunet.errors import InputError

if TYPE_CHECKING:
    from medunet.bundle.audit import Audit
    from medunet.handover import ShippedBundle

LISTED = 5
"""Entries of one kind that are shown; --all shows the others."""
Target = Literal["torchscript", "torch-export", "onnx", "openvino"]
app = typer.Typer(
    help="List, audit, check, describe or export bundles.",
    no_args_is_help=True,
)
BundleArgument = Annotated[
    Path,
    typer.Argument(metavar="BUNDLE", help="Folder or zip of a bundle, or a name that list tells.", show_default=False),
]


@app.command()
def audit(
    bundle: BundleArgument,
    report: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all entries there.", show_default="none")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option("--sarif", metavar="FILE", help="The same in SARIF 2.1.0.", show_default="none")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="List notes, and each entry.")] = False,
) -> None:
    """List what a bundle would run.

    Nothing of it is imported, evaluated or unpickled. Exit code 2 where something reaches beyond the bundle (an error),
    else 0.
    """
    from medunet.archives import unpack_archives

    with screen(), unpack_archives([bundle]) as (folder,):
        found = api.audit_bundle(folder, report=report, sarif=sarif)
    _print_audit(found, everything=everything)
    counts = found.count()
    said = ", ".join(f"{count} {kind}{'s' if count != 1 else ''}" for kind, count in counts.items())
    print(f"{said} in {found.files} files; nothing of it was run")
    if counts["error"]:
        raise typer.Exit(2)


def _print_audit(found: "Audit", *, everything: bool) -> None:
    shown = [item for item in found.entries if everything or item.severity != "note"]
    for (severity, kind, reason), group in groupby(shown, lambda item: (item.severity, item.kind, item.reason)):
        items = list(group)
        print(f"{severity:8} {kind:12} {reason}")
        for item in items if everything else items[:LISTED]:
            at = f":{item.line}" if item.line else f"@{item.offset}" if item.offset is not None else ""
            place = f" {item.place}" if item.place else ""
            text = " ".join(item.text.split())
            print(f"    {item.file}{at}{place}: {text if len(text) <= 100 else text[:99] + '…'}")
        if len(items) > LISTED and not everything:
            print(f"    … and {len(items) - LISTED} more, which --all lists")


@app.command()
def check(
    bundle: BundleArgument,
    report: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all findings there.", show_default="none")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="List each finding.")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let MONAI run what BUNDLE holds beyond what medunet knows.")
    ] = False,
) -> None:
    """Check all of a bundle, offline.

    What MONAI's zoo checks, and what that misses, down to the labels of the made-up case that lies in the bundle. Exit
    code 2 at an error, else 0.
    """
    from medunet.archives import unpack_archives
    from medunet.bundle import locate_bundle
    from medunet.records import write_json

    with screen(), unpack_archives([locate_bundle(bundle)]) as (folder,):
        findings = api.check_bundle(folder, trust=trust)
    if report is not None:
        found = [item.model_dump() | {"subject": shorten_subject(item.subject, folder)} for item in findings]
        write_json(report, {"bundle": str(bundle), "counts": count_findings(findings), "findings": found})
    print_findings(findings, folder, everything=everything)
    if count_findings(findings)["error"]:
        raise typer.Exit(2)


@app.command()
def card(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of a bundle.", show_default=False)],
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Take pictures of the worst held-out cases, which show patients.")
    ] = False,
) -> None:
    """Write the model card from the records of a bundle.

    Scores are those of its last evaluation, their cases numbered. What people wrote into docs/README.md above and below
    the card stays; what only they can say stands in docs/card.json.
    """
    with screen():
        missing = api.write_card(bundle, pictures=pictures)
    print(f"card: {bundle / 'docs' / 'README.md'}")
    if missing:
        print(f"only a person can say ({bundle / 'docs' / 'card.json'}): {', '.join(missing)}")


@app.command()
def export(
    bundle: BundleArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.")] = Path(),
    to: Annotated[
        str | None,
        typer.Option(
            metavar="torchscript,torch-export,onnx,openvino",
            help="Formats, one or several; needed.",
            show_default=False,
        ),
    ] = None,
    scan: Annotated[
        Path | None,
        typer.Option(help="Scan whose windows are compared.", show_default="the bundle's self-test"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
) -> None:
    """Write the network in other formats.

    Of an ensemble all folds in one. It is compared with PyTorch before it gets its name; a JSON beside it says what a
    program must do before and after.
    """
    if not to:
        remedy = "add --to onnx, or torchscript, torch-export, openvino"
        raise InputError("medunet bundle export", "no format is given", remedy, code="option-wrong")
    from medunet.archives import unpack_archives

    targets = [choose(name.strip(), get_args(Target), "--to") for name in to.split(",")]
    with screen(), unpack_archives([bundle]) as (folder,):
        done = api.export_bundle(folder, output, targets, scan=scan, overwrite=overwrite)
    for item in done:
        others = sum(one.decided_otherwise for one in item.consumer.compared)
        voxels = sum(one.voxels for one in item.consumer.compared)
        said = f"logits differ from PyTorch's by at most {item.difference:.2g}"
        print(f"wrote {item.file} and {item.description.name}: {said}, {others} of {voxels} voxels decide otherwise")


@app.command("list")
def list_all(
    report: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all that is known there.", show_default="none")
    ] = None,
) -> None:
    """List the bundles that come with medunet.

    Commands that read a bundle take these names in place of a path. Scores are those of patients that the networks had
    never seen, with the 95 % interval of their mean.
    """
    from medunet.records import write_json

    with screen():
        found = api.list_bundles()
    for item in found:
        print(f"{item.name} {item.version}: {item.task}")
        print(
            f"    {', '.join(item.channels)} → {', '.join(item.labels)}; {_say_quality(item)}{item.size / 1e6:.0f} MB"
        )
        print(f"    {item.folder}")
    if report is not None:
        write_json(report, {"bundles": [item.model_dump(mode="json") for item in found]})


def _say_quality(item: "ShippedBundle") -> str:
    words = ""
    if item.score is not None:
        between = "" if item.score.low is None else f" ({item.score.low:.3f} to {item.score.high:.3f})"
        words = f"{item.measure} {item.score.mean:.3f}{between} of {item.score.patients} patients, "
    return words if item.seconds is None else f"{words}{item.seconds:.1f} s a case on two cores, "
