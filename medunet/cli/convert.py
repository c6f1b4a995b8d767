"""`medunet convert`: a mask as another kind of file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

import typer

from medunet import api
from medunet.cli.arguments import parse_names
from medunet.cli.inputs import share_options
from medunet.cli.screen import screen
from medunet.errors import InputError

if TYPE_CHECKING:
    from medunet.labels import LabelTable

Target = Literal["nifti", "seg", "seg-labelmap", "rtstruct", "rtstruct-inner"]
PREDICTED = ("seg-fractional", "probabilities", "sr", "sc")
"""Formats that a mask alone doesn't become."""
Maker = Literal["manual", "semiautomatic", "automatic"]
Word = TypeVar("Word")
LabelsOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,…|JSON",
        help="Names of the values 1, 2, … of a label map, or which structures or segments become these; or a file with "
        "labels as of a cohort.json.",
        show_default="what MASK says",
    ),
]
MakerOption = Annotated[
    str | None,
    typer.Option(
        metavar="manual|semiautomatic|automatic", help="What made it, for DICOM.", show_default="what MASK says"
    ),
]


def make_source(
    source: Annotated[
        Path | None,
        typer.Option(help="Image that MASK was made on; needed for DICOM and for contours.", show_default="none"),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(metavar="UID", help="SeriesInstanceUID of the source.", show_default="what MASK refers to"),
    ] = None,
    phase: Annotated[
        str | None, typer.Option(help="Which image of the source, where its series holds several.", show_default="none")
    ] = None,
) -> dict[str, Any]:
    """Arguments of `medunet.convert` that say which image a mask belongs to."""
    from medunet.reading import ReadOptions  # brings pydantic, which --help doesn't need
    from medunet.records import check_record

    options = check_record({"series": series, "phase": phase}, ReadOptions, "options", "option-wrong")
    return {"source": source, "options": options}


def _take_source(command: Callable[..., None]) -> Callable[..., None]:
    return share_options(command, make_source, "place")


@_take_source
def convert(
    mask: Annotated[
        Path, typer.Argument(metavar="MASK", help="NIfTI, NRRD, MHA, DICOM SEG or RTSTRUCT.", show_default=False)
    ],
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="nifti|seg|seg-labelmap|rtstruct|rtstruct-inner", help="Format; needed.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File, where its name ends like the format's; else its folder.")
    ] = Path(),
    labels: LabelsOption = None,
    made_by: MakerOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
    place: Any = None,
) -> None:
    """Write a mask as another kind of file.

    The same label at every voxel, or one sentence why not: a mask is never resampled.
    """
    target = _choose_target(to)
    with screen():
        written = api.convert(
            mask,
            output,
            to=target,
            labels=_read_labels(labels),
            made_by=choose(made_by, get_args(Maker), "--made-by") if made_by is not None else None,
            overwrite=overwrite,
            **place,
        )
    print(f"wrote {written}")


def _choose_target(to: str | None) -> Target:
    """The format that `--to` names."""
    if to is None:
        found, remedy = "no format is given", "add --to nifti, seg or rtstruct"
        raise InputError("medunet convert", found, remedy, code="option-wrong")
    if to in PREDICTED:
        found = "it is made of what a network found, which a mask doesn't tell"
        remedy = "choose nifti, seg, seg-labelmap or rtstruct, or predict the scan with --format"
        raise InputError(f"--to {to}", found, remedy, code="option-wrong")
    known: tuple[Target, ...] = get_args(Target)
    return choose(to, known, "--to")


def choose(text: str, known: tuple[Word, ...], option: str) -> Word:
    """One of the words that an option may have.

    Raises:
        InputError: it is another one.
    """
    from medunet.records import suggest

    for word in known:
        if word == text:
            return word
    remedy = suggest(text, [str(word) for word in known])
    raise InputError(f"{option} {text}", "there is no such choice", remedy, code="option-wrong")


def _read_labels(text: str | None) -> "LabelTable | Sequence[str] | None":
    """Names, or what a JSON file holds."""
    if text is not None and text.lower().endswith(".json"):
        from medunet.conversion import read_labels

        return read_labels(Path(text))
    return parse_names(text, "--labels")
