"""Arguments that commands share, and reading them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from medunet.errors import InputError

BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.", show_default=False)]
NamedBundleArgument = Annotated[
    Path,
    typer.Argument(
        metavar="BUNDLE", help="Folder of the bundle, or a name that medunet bundle list tells.", show_default=False
    ),
]
CohortArgument = Annotated[
    Path,
    typer.Argument(
        metavar="COHORT",
        help="Tree of DICOM studies, Decathlon or nnU-Net folder, images/ and labels/, cohort.json, CSV or JSON lines.",
        show_default=False,
    ),
]
ChannelsOption = Annotated[str | None, typer.Option(help="Only these channels, like ct,pet.", show_default="all")]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|JSON",
        help="Network of MONAI's, like SegResNet, or its _target_ and arguments as JSON or in a file of JSON.",
        show_default="own, a U-Net",
    ),
]
TrustOption = Annotated[
    bool, typer.Option("--trust", help="Run what the bundle holds beyond what medunet writes: you know who wrote it.")
]
FoldOption = Annotated[
    str, typer.Option("--fold", metavar="K|all", help="Fold whose patients are held out, or all folds.")
]


def parse_fold(text: str) -> int | None:
    """A fold, or None for all.

    Raises:
        InputError: it is neither a number from 0 on nor "all".
    """
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit():
        raise InputError(f"--fold {text}", "it is no fold", "write a number from 0 on, or all", code="option-wrong")
    return int(text)


def parse_names(text: str | None, option: str) -> list[str] | None:
    """Names from ct,pet; None where the option isn't given.

    Raises:
        InputError: a name is empty, or there is none.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"{option} {text!r}", "a name is empty", "write names with a comma between, or leave it out")
    return names


def parse_network(text: str) -> dict[str, Any]:
    """A network from its name, from JSON, or from a file that ends in .json: `_target_` and arguments.

    Raises:
        InputError: it is no JSON, or has no `_target_`.
    """
    if not text.endswith(".json") and "{" not in text:
        return {"_target_": text}
    from medunet.records import parse_json, read_json  # brings pydantic, which --help doesn't need

    found = read_json(Path(text)) if text.endswith(".json") else parse_json(text.encode(), "--network")
    if not isinstance(found, dict) or not isinstance(found.get("_target_"), str):
        example = '{"_target_": "SegResNet", "init_filters": 16}'
        raise InputError(f"--network {text}", "it names no _target_", f"write it like {example}", code="option-wrong")
    return found


BYTES = {"M": 2.0**20, "MI": 2.0**20, "MIB": 2.0**20, "MB": 1e6, "G": 2.0**30, "GI": 2.0**30, "GIB": 2.0**30}
BYTES |= {"GB": 1e9, "T": 2.0**40, "TI": 2.0**40, "TIB": 2.0**40, "TB": 1e12}
"""Bytes of each unit of memory."""


LARGEST = 1e6
"""Minutes (two years) or GiB (a petabyte) above which an amount is a slip of the pen."""


def parse_minutes(text: str) -> float:
    """Minutes from 45, 45m, 1.5h or 90s.

    Raises:
        InputError: it is none of these, or not above zero.
    """
    return _parse_amount(text, "--budget", {"S": 1 / 60, "M": 1.0, "H": 60.0}, "45m, 1.5h or 90s")


def parse_gib(text: str, option: str = "--ram") -> float:
    """GiB from 16, 16G, 16GiB, 16GB (decimal) or 512M.

    Raises:
        InputError: it is none of these, or not above zero.
    """
    return _parse_amount(text, option, {unit: size / 2**30 for unit, size in BYTES.items()}, "16G, 8GiB or 512M")


def _parse_amount(text: str, option: str, factors: dict[str, float], example: str) -> float:
    number = text.strip().rstrip("".join(factors) + "".join(factors).lower() + " ")
    unit = text.strip()[len(number) :].strip().upper()
    try:
        value = float(number) * factors[unit] if unit else float(number)
    except (ValueError, KeyError):
        value = 0.0
    if not 0 < value <= LARGEST:
        found, remedy = "it is no positive amount" if not value > 0 else "it is too much", f"write it like {example}"
        raise InputError(f"{option} {text or repr(text)}", found, remedy, code="option-wrong")
    return value
