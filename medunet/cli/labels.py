"""Options of commands that read cohorts: what is said of their labels beside their files."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from medunet.cli.arguments import parse_names
from medunet.cli.inputs import share_options
from medunet.errors import InputError

Missing = Annotated[
    Literal["absent", "unknown"] | None,
    typer.Option(
        help="Where a case lacks a label that others have: absent (there is none), or unknown (not contoured).",
        show_default="asked for",
    ),
]
"""Option that says what a missing label means."""


def make_labels(
    objects: Annotated[
        bool, typer.Option("--objects", help="Label maps number objects of one label: 1, 2, 3, … are nuclei.")
    ] = False,
    precedence: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL,…",
            help="Which of several structures has voxels that they share, like tumor,liver: a tumor's are no liver's.",
            show_default="refused",
        ),
    ] = None,
    regions: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=LABEL+LABEL,…",
            help="Labels that are learnt and scored as one, like liver=liver+tumor; regions may overlap.",
        ),
    ] = None,
    label_values: Annotated[
        str | None,
        typer.Option(
            metavar="STORED=VALUE,…",
            help="Value of which label a value of label maps means, like 205=1,420=2,7=0; 0 is background.",
        ),
    ] = None,
    missing: Missing = None,
) -> Any:
    """What the options say of labels, as `LabelChoices`; None where none is given.

    Raises:
        InputError: one isn't written as its metavar says.
    """
    if not (objects or precedence or regions or label_values or missing):
        return None
    from medunet.cohort import LabelChoices  # brings pydantic, which --help doesn't need

    values = _split(label_values, "--label-values").items()
    return LabelChoices(
        objects=objects,
        precedence=tuple(parse_names(precedence, "--precedence") or ()),
        regions={name: _parse_members(name, labels) for name, labels in _split(regions, "--regions").items()},
        label_values={_parse_value(stored): _parse_value(value) for stored, value in values},
        missing=missing,
    )


def _split(text: str | None, option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in parse_names(text, option) or []:
        name, sign, value = (part.strip() for part in item.partition("="))
        if not (name and sign and value) or name in pairs:
            found = "it is no list of NAME=VALUE, each name once"
            raise InputError(f"{option} {text}", found, "write it like a=b,c=d", code="option-wrong")
        pairs[name] = value
    return pairs


def _parse_members(name: str, text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split("+"))
    if not all(names):
        raise InputError(f"--regions {name}={text}", "a label is empty", "write it like a=a+b", code="option-wrong")
    return names


def _parse_value(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        found = f"{text} is no whole number"
        raise InputError("--label-values", found, "write it like 205=1,420=2", code="option-wrong") from None


def take_labels(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_labels`; it gets what they say as its argument `labels`."""
    return share_options(command, make_labels, "labels")
