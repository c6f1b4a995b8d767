"""Options of commands that read scans: which images, and how to read them."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medunet.errors import InputError

if TYPE_CHECKING:
    from medunet.reading import ReadOptions

Texts = list[str] | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a command shall read.

    Attributes:
        images: of each scan a path for each channel that was named.
        options: how to read a channel, by its name, or all by "".
    """

    images: list[dict[str, Path]]
    options: "dict[str, ReadOptions]"


def make_inputs(
    image: Annotated[
        Texts, typer.Option(metavar="NAME=PATH", help="One path for each channel; a name again begins another scan.")
    ] = None,
    series: Annotated[
        Texts, typer.Option(metavar="[NAME=]UID", help="SeriesInstanceUID, where several series fit.")
    ] = None,
    phase: Annotated[
        Texts, typer.Option(metavar="[NAME=]PHASE", help="Which image, where a series holds several.")
    ] = None,
    assume_rescale: Annotated[
        Texts, typer.Option(metavar="[NAME=]SLOPE,INTERCEPT", help="Of a CT whose headers lack them.")
    ] = None,
    pet: Annotated[Texts, typer.Option(metavar="[NAME=]suv|stored", help="Units of a PET.", show_default="suv")] = None,
    prefer: Annotated[
        Texts, typer.Option(metavar="[NAME=]sform|qform", help="Which affine of a NIfTI counts where they disagree.")
    ] = None,
) -> Inputs:
    """Make sense of the options; those without NAME hold for all channels.

    Raises:
        InputError: one isn't written as its metavar says, or holds no such value.
    """
    from medunet.reading import parse_options  # brings pydantic, which --help doesn't need

    given = {"series": series, "phase": phase, "assume_rescale": assume_rescale, "pet": pet, "prefer": prefer}
    options = parse_options({name: texts or [] for name, texts in given.items()})
    return Inputs(images=_group(map(_split, image or [])), options=options)


def _group(pairs: Iterable[tuple[str, Path]]) -> list[dict[str, Path]]:
    """Scans of named channels: a name belongs to the first scan that lacks it."""
    scans: list[dict[str, Path]] = []
    for name, path in pairs:
        scan = next((item for item in scans if name not in item), None)
        if scan is None:
            scans.append(scan := {})
        scan[name] = path
    return scans


def _split(item: str) -> tuple[str, Path]:
    name, sign, path = item.partition("=")
    if not sign or not path:
        raise InputError(
            f"--image {item}", "it is not NAME=PATH", "write it like --image ct=scans/CT", code="option-wrong"
        )
    return name, Path(path)


def take_inputs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `make_inputs`; it gets what they say as its argument `inputs`."""
    return share_options(command, make_inputs, "inputs")


def share_options(command: Callable[..., None], make: Callable[..., Any], argument: str) -> Callable[..., None]:
    """Give a command the options of another function, whose result it gets as an argument.

    Args:
        command: of typer.
        make: takes the options, annotated for typer.
        argument: name in `command` of what it makes.
    """
    own = inspect.signature(command, eval_str=True).parameters
    shared = inspect.signature(make, eval_str=True).parameters

    def run(**given: Any) -> None:
        made = make(**{name: given.pop(name) for name in shared if name in given})
        command(**given, **{argument: made})

    kept = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, item in own.items() if name != argument]
    added = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in shared.values()]
    run.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
