"""Convert a mask from one kind of file to another: the same label at every voxel and the same label table, or nothing.

A mask stays on the grid that it lies on: it is turned into the order of axes of its source, and never resampled.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from medunet.algorithms import UNKNOWN, Algorithm
from medunet.errors import InputError, LabelError, OutputExistsError
from medunet.files import check_input, check_writable, whole_file
from medunet.findings import listening, tell
from medunet.geometry import Grid
from medunet.labels import Labels, LabelTable, Mask
from medunet.reading import (
    ANYWHERE,
    Image,
    ReadOptions,
    choose_series,
    find_image,
    find_series,
    is_image_file,
    measure_image,
    read_image,
    read_mask,
    strip_ending,
)
from medunet.reading.labels.planes import find_frames_grid
from medunet.reading.labels.tables import Labelling, read_labelling, read_nifti_table
from medunet.reading.options import DEFAULTS
from medunet.reading.volume import IMAGES
from medunet.records import Record, check_record, read_json
from medunet.writing import Format, Result
from medunet.writing.formats import FORMATS

LOGGER = logging.getLogger(__name__)
Target = Literal["nifti", "seg", "seg-labelmap", "rtstruct", "rtstruct-inner"]
MadeBy = Literal["manual", "semiautomatic", "automatic"]
ENDINGS: dict[Target, tuple[str, ...]] = {
    "nifti": (".nii.gz", ".nii"),
    "seg": (".dcm",),
    "seg-labelmap": (".dcm",),
    "rtstruct": (".dcm",),
    "rtstruct-inner": (".dcm",),
}
"""How names of files may end, by their format."""
KNOWN = sorted(
    {*(FORMATS[target].ending for target in ENDINGS), ".dcm", *IMAGES} - {".png"}, key=lambda end: (-len(end), end)
)
"""Endings that the name of a mask loses, the longest first."""
LOSSES = {("SEG", "label-fractions"), ("RTSTRUCT", "label-grid")}
"""Warnings of reading, by what is read, of which a label map can't hold all: fractions, contours beyond the image."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a mask is converted.

    Attributes:
        target: the format that is written.
        source: the image that the mask was made on.
        options: which series of it, and how it is read.
        labels: names of labels, or a label table; what the file itself says if not given.
        made_by: what made the mask; what the file itself says if not given.
    """

    target: Target
    source: Path | None = None
    options: ReadOptions = DEFAULTS
    labels: LabelTable | tuple[str, ...] | None = None
    made_by: MadeBy | None = None

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of labels, where some are given."""
        return self.labels.names if isinstance(self.labels, LabelTable) else self.labels


class _Labels(Record):
    labels: Labels


def read_labels(path: Path) -> LabelTable | tuple[str, ...]:
    """Read the labels of a JSON file: a list of names or of labels, or an object like a cohort.json that has one.

    Returns:
        Names where it holds nothing else, so that the mask's own colours and coded terms count.

    Raises:
        MissingInputError: there is no such file.
        RecordError: it is no JSON, or holds no labels.
    """
    found = read_json(path)
    given = found.get("labels") if isinstance(found, dict) else found
    table = check_record({"labels": given}, _Labels, str(path)).labels
    return table.names if isinstance(given, list) and all(isinstance(item, str) for item in given) else table


def convert_mask(mask: Path, output: Path, wishes: Wishes, *, overwrite: bool = False) -> Path:
    """Convert a mask; arguments, result and errors as of `medunet.convert`.

    Args:
        mask: NIfTI, NRRD, MHA, DICOM SEG or RTSTRUCT.
        output: file to write where its name ends as those of the format do, else its folder.
        wishes: how.
        overwrite: replace a file that exists.
    """
    row = FORMATS[wishes.target]
    _check_wishes(wishes)
    check_input(mask)
    if not mask.is_file() or mask.name.lower().endswith(".png"):
        found = "it is a picture without a place" if mask.is_file() else "it is a folder"
        remedy = "give a file of a mask: NIfTI, NRRD, MHA, DICOM SEG or RTSTRUCT"
        raise InputError(mask, f"{found}, which is no mask on a scan", remedy, code="not-an-image")
    path = _name_output(mask, output, row, wishes.target)
    if os.path.lexists(path) and not overwrite:
        raise OutputExistsError(path, "it exists already", "choose another output, or add --overwrite")
    check_writable(path.parent, path)
    labelling = _describe_labels(mask, wishes)
    origin = _find_source(mask, labelling, wishes)
    read = _read(mask, origin, labelling)
    algorithm = _choose_algorithm(labelling.algorithm, wishes)
    _check_content(read, mask, wishes.target)
    row.check(origin, read.table, algorithm)
    with whole_file(path) as part:
        row.write(Result(read, origin, algorithm), part)
    volumes = ", ".join(f"{name} {volume:.4g} mL" for name, volume in read.volumes_ml().items())
    LOGGER.info("%s: %s on %s", path, volumes, read.grid.describe())
    return path


def _check_wishes(wishes: Wishes) -> None:
    """Check names, and that nothing is said which would count for nothing.

    Raises:
        InputError: something is.
    """
    if isinstance(wishes.labels, tuple):
        check_record({"labels": list(wishes.labels)}, _Labels, "labels", "option-wrong")
    if wishes.names is not None and not wishes.names:
        raise InputError("labels", "there is none", "name one, or leave them out", code="option-wrong")
    if wishes.source is None and wishes.options != DEFAULTS:
        found = "a series or phase is chosen, but no source is named"
        raise InputError("medunet convert", found, "name the image of the mask with --source", code="option-wrong")
    if wishes.made_by is not None and wishes.target == "nifti":
        found = "a NIfTI file has no place for what made its mask"
        raise InputError(f"--made-by {wishes.made_by}", found, "leave it out", code="option-wrong")


def _name_output(mask: Path, output: Path, row: Format, target: Target) -> Path:
    """The file to write."""
    name = output.name.lower()
    if name.endswith(ENDINGS[target]) and not output.is_dir():
        return output
    if name.endswith(tuple(KNOWN)) and not output.is_dir():
        raise InputError(output, f"a file of the format {target} ends otherwise", f"let it end with {row.ending}")
    return output / (strip_ending(mask.name, KNOWN) + row.ending)


def _describe_labels(mask: Path, wishes: Wishes) -> Labelling:
    """What the mask's file says of its labels, or who converts it."""
    if not is_image_file(mask):
        said = read_labelling(mask, wishes.names)
        return replace(said, table=wishes.labels) if isinstance(wishes.labels, LabelTable) else said
    if isinstance(wishes.labels, LabelTable):
        return Labelling(wishes.labels)
    if wishes.labels is not None:
        return Labelling(LabelTable.from_names([*wishes.labels]))
    table = read_nifti_table(mask) if mask.name.lower().endswith((".nii", ".nii.gz")) else None
    if table is None:
        remedy = "name the labels of its values 1, 2, …, as with --labels liver,tumor"
        raise LabelError(mask, "it doesn't say what its values mean", remedy, code="label-values")
    return Labelling(table)


def _find_source(mask: Path, labelling: Labelling, wishes: Wishes) -> Image:
    """The image that the mask was made on; the mask itself where its own grid is enough."""
    if wishes.source is None:
        if wishes.target != "nifti" or labelling.modality == "RTSTRUCT":
            what = f"a DICOM {wishes.target}" if wishes.target != "nifti" else "the grid of these contours"
            remedy = "name the folder of its series with --source"
            raise InputError(mask, f"{what} comes from the series that it belongs to", remedy, code="option-wrong")
        return Image(str(mask))
    image = find_origin(wishes.source, wishes.options, labelling.series_uids)
    if image.series is not None and labelling.series_uids and image.series.uid not in labelling.series_uids:
        found = f"it refers to another series than the one of {wishes.source}"
        raise LabelError(mask, found, "give the series that it was made on", code="label-grid")
    return image


def find_origin(source: Path, options: ReadOptions, named: Sequence[str]) -> Image:
    """Find the image that a mask was made on; of several series the one that it refers to.

    Args:
        source: file, or folder of a series.
        options: which series it is.
        named: SeriesInstanceUIDs that the mask refers to.

    Raises:
        MedunetError: as of `medunet.reading.find_image`.
    """
    if options.series is not None or not source.is_dir():
        return find_image(source, options)
    contents = find_series(source, keep=True)
    fitting = [series for series in contents.series if series.uid in named]
    series = fitting[0] if len(fitting) == 1 else choose_series(source, None, contents)
    return Image(str(source), options, series)


def _measure(origin: Image, labelling: Labelling) -> Grid:
    """The grid on which the mask must lie."""
    if labelling.modality and origin.series is None and not is_image_file(Path(origin.path)):
        return find_frames_grid(Path(origin.path))
    size = measure_image(origin)
    grid = size.grid if size else read_image(origin).grid
    if grid.unit != "mm":
        raise InputError(origin.path, "it is a picture without a place", "give the scan of the mask", code="label-grid")
    return grid


def _read(mask: Path, origin: Image, labelling: Labelling) -> Mask:
    """The mask on the grid of its source.

    Raises:
        LabelError: voxels of no label or of several, or what a label map can't hold.
        GeometryError: it lies on another grid.
    """
    place = origin.series.place if origin.series is not None else ANYWHERE
    try:
        with listening() as heard:
            read = read_mask(mask, _measure(origin, labelling), labelling.table, place=place)
    except LabelError as error:
        raise LabelError(
            error.subject, error.found, _advise(error, labelling.table), error.expected, code=error.code
        ) from None
    for finding in heard:
        if finding.severity == "warning" and (labelling.modality, finding.code) in LOSSES:
            remedy = finding.remedy or "leave it out by naming the other ones with --labels"
            raise LabelError(mask, f"it can't be converted exactly: {finding.found}", remedy, code=finding.code)
        tell(finding)
    return read


def _advise(error: LabelError, table: LabelTable) -> str:
    """What to do about a refusal, in terms of the options of a conversion."""
    if error.code == "label-overlap":
        return f"a label map holds one label a voxel: convert them one by one, as with --labels {table.names[0]}"
    if error.code == "label-values":
        return "name a label for each value 1, 2, … with --labels, or give a label map"
    return error.remedy


def _check_content(mask: Mask, path: Path, target: Target) -> None:
    """Check that a DICOM file can hold a mask as it is.

    Raises:
        LabelError: it can't.
    """
    if target == "nifti":
        return
    table = mask.table
    if mask.kind == "instances":
        found = f"it numbers objects, which a {target} can't tell apart"
        raise LabelError(path, found, "convert it to nifti, or name its values with --labels", code="format-unfit")
    if table.ignore is not None and (mask.voxels == table.ignore).any():
        found = f"it holds voxels that nobody looked at ({table.ignore}), for which a {target} has no place"
        raise LabelError(path, found, "convert it to nifti", code="format-unfit")
    if table.regions:
        LOGGER.warning("%s: a %s has no place for regions; its labels are written one by one", path, target)


def _choose_algorithm(said: Algorithm, wishes: Wishes) -> Algorithm:
    """What made the mask, as it is written."""
    kind = wishes.made_by
    if kind == "manual":
        return replace(UNKNOWN, kind="MANUAL")
    if kind is not None:
        wanted: Literal["AUTOMATIC", "SEMIAUTOMATIC"] = "AUTOMATIC" if kind == "automatic" else "SEMIAUTOMATIC"
        labels = {name: replace(made, kind=wanted) for name, made in said.labels.items()}
        return replace(said, kind=wanted, labels=labels)
    if wishes.target.startswith("seg") and not all(made.kind for made in said.labels.values() or [said]):
        LOGGER.warning(
            "nothing says what made the mask: the SEG calls it semi-automatic by an unknown algorithm; say it with "
            "--made-by manual, semiautomatic or automatic"
        )
    return said
