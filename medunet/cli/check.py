"""`medunet check`: everything that is wrong or odd, as a table or as JSON."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medunet import api
from medunet.cli.arguments import ChannelsOption, parse_names
from medunet.cli.labels import take_labels
from medunet.cli.screen import screen
from medunet.cli.series import take_choosing

if TYPE_CHECKING:
    from medunet.findings import Finding

LISTED = 5
"""Findings of one kind that are shown; --all or --json shows the others."""


@take_choosing
@take_labels
def check(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A file, a folder of scans, a COHORT or a BUNDLE.", show_default=False),
    ],
    channels: ChannelsOption = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Compare scans with those of this bundle's training.", show_default="none")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="List each finding.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    labels: Any = None,
    choosing: Any = None,
) -> None:
    """Say what is wrong or odd about scans.

    Everything about a scan, a folder of scans, a cohort or a bundle at once; exit code 2 at an error.
    """
    from medunet.archives import unpack_archives

    names = parse_names(channels, "--channels")
    with screen(), unpack_archives([path]) as (place,):
        findings = api.check(place, channels=names, labels=labels, bundle=bundle, **choosing)
    counts = count_findings(findings)
    if as_json:
        found = [item.model_dump() | {"subject": shorten_subject(item.subject, place)} for item in findings]
        print(json.dumps({"path": str(path), "counts": counts, "findings": found}, indent=2, ensure_ascii=False))
    else:
        print_findings(findings, place, everything=everything)
    if counts["error"]:
        raise typer.Exit(2)


def count_findings(findings: "Sequence[Finding]") -> dict[str, int]:
    """How many there are of each severity."""
    return {kind: sum(item.severity == kind for item in findings) for kind in ("error", "warning", "note")}


def print_findings(findings: "list[Finding]", path: Path, *, everything: bool) -> None:
    """Print findings by kind, and how many there are.

    Args:
        findings: of a check.
        path: that was checked, from which subjects are told.
        everything: list each.
    """
    _print_table(findings, path, len(findings) if everything else LISTED)
    counts = count_findings(findings)
    print(", ".join(f"{count} {kind}{'s' if count != 1 else ''}" for kind, count in counts.items()))


def _print_table(findings: "list[Finding]", path: Path, listed: int) -> None:
    """Findings by kind: severity, code, what to do and the option that does it; below it files and what is found.

    What to do stands last where it ends with a table.
    """

    def kind(item: "Finding") -> tuple[str, str, str]:
        return item.severity, item.code, item.remedy

    order = list(dict.fromkeys(map(kind, findings)))
    for (severity, code, remedy), group in groupby(sorted(findings, key=lambda item: order.index(kind(item))), kind):
        items = list(group)
        tabled = "\n" in remedy
        print(f"{severity:8} {code:24} {'' if tabled else remedy}".rstrip())
        for item in items[:listed]:
            print(f"    {shorten_subject(item.subject, path)}: {item.found}")
        if len(items) > listed:
            print(f"    … and {len(items) - listed} more, which --all lists")
        if tabled:
            print(f"    {remedy}")


def shorten_subject(subject: str, path: Path) -> str:
    """A subject, relative to PATH where it lies below it."""
    inside = Path(subject)
    for root in (path, path.absolute()):
        if inside != root and inside.is_relative_to(root):
            return str(inside.relative_to(root))
    return subject
