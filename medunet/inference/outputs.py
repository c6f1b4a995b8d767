"""The files of a prediction: planned before it starts, written all together or not at all."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from medunet.bundle import Recipe
from medunet.errors import InputError, SeriesError
from medunet.files import check_free, whole_file
from medunet.geometry import Unit
from medunet.inference.predict import Predictor
from medunet.inference.scans import Scan
from medunet.labels import Mask
from medunet.reading import Header, read_mask, read_segmentation, sort_series
from medunet.records import suggest, write_record
from medunet.runs import record_run
from medunet.writing import Algorithm, check_source, write_nifti, write_picture, write_segmentation

ENDINGS = {"nifti": ".nii.gz", "png": ".png", "seg": ".seg.dcm"}
"""Formats and how their files end."""
MASK_FORMAT: dict[Unit, str] = {"mm": "nifti", "px": "png"}
"""Format of label maps by the unit of their grid."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written of one scan.

    Attributes:
        files: by format; none where nothing is written, not even a run record.
        record: the run record.
        empty_seg: write a SEG where nothing was found, too.
        slices: headers of the source series in the order of its slices, which a SEG refers to.
    """

    files: dict[str, Path]
    record: Path
    empty_seg: bool = True
    slices: tuple[Header, ...] = ()


def name_mask(name: str, unit: Unit) -> str:
    """File name of the label map of a scan or case: NIfTI, or PNG for pictures."""
    return name + ENDINGS[MASK_FORMAT[unit]]


def plan_outputs(
    recipe: Recipe, scan: Scan, folder: Path | None, formats: Sequence[str] = (), empty_seg: bool = True
) -> Outputs:
    """Check that the outputs of a scan can be made, before it is predicted.

    Args:
        recipe: by which it is predicted.
        scan: what is predicted.
        folder: where files will lie; none are written without it.
        formats: of `ENDINGS`; a label map if not given.
        empty_seg: write a SEG where nothing was found, too.

    Raises:
        InputError: a format is unknown, a file exists, or a SEG can't be made of the scan.
        ExtraError: a format needs a package that isn't installed.
    """
    own = MASK_FORMAT[recipe.task.unit]
    for name in formats:
        if name not in ENDINGS:
            raise InputError(
                f"--format {name}", "there is no such format", suggest(name, list(ENDINGS)), code="option-wrong"
            )
        if name != own and "png" in (name, own):
            found = f"masks of {scan.id} are written as {own}"
            raise InputError(f"--format {name}", found, "leave --format out", code="format-unfit")
    if folder is None:
        return Outputs({}, Path())
    files = {name: folder / (scan.id + ENDINGS[name]) for name in formats or (own,)}
    for path in files.values():
        check_free(path)
    slices = _find_slices(recipe, scan) if "seg" in files else ()
    return Outputs(files, folder / f"{scan.id}.json", empty_seg, slices)


def _find_slices(recipe: Recipe, scan: Scan) -> tuple[Header, ...]:
    """Headers of the slices, in the order in which they are read into the mask's grid."""
    image = scan.reference
    if image.series is None or Path(image.path).is_file():
        raise SeriesError(
            image.path,
            "it is a file, and a DICOM SEG refers to a DICOM series",
            "give the folder of the series, or leave seg out of --format",
            code="format-unfit",
        )
    headers, _, _ = sort_series(image.series, image.options.phase)
    if headers[0].frame is not None:
        raise SeriesError(
            headers[0].path,
            "it is a multi-frame image, and a DICOM SEG is written for single slices only",
            "leave seg out of --format",
            code="format-unfit",
        )
    check_source(headers[0].describe(), recipe.task.labels.labels, _name_algorithm(recipe, "0"))
    return tuple(headers)


def _name_algorithm(recipe: Recipe, weights_sha256: str) -> Algorithm:
    return Algorithm(recipe.name, recipe.version, weights_sha256)


def write_outputs(outputs: Outputs, mask: Mask, predictor: Predictor, started: float) -> dict[str, Path]:
    """Write the mask of a scan in each format, and its run record.

    Each file is read back and compared; they get their names together when all are right.

    Args:
        outputs: from `plan_outputs`.
        mask: what was predicted.
        predictor: with what.
        started: `time.monotonic()` when that began.

    Returns:
        The files that were written, by format.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    left_out = {"seg"} if not outputs.empty_seg and not mask.voxels.any() else set()
    files = {name: path for name, path in outputs.files.items() if name not in left_out}
    with ExitStack() as stack:
        parts = {name: stack.enter_context(whole_file(path)) for name, path in files.items()}
        for name, write in (("nifti", write_nifti), ("png", write_picture)):
            if name in parts:
                write(mask, parts[name], lambda path, _: read_mask(path, mask.grid, mask.table))
        if "seg" in parts:
            _write_seg(mask, parts["seg"], outputs, predictor)
        if outputs.files:
            foreseen = predictor.recipe.peak_gib
            record = record_run("predict", predictor.weights, started, mask.notes, foreseen)
            write_record(stack.enter_context(whole_file(outputs.record)), record)
    return files


def _write_seg(mask: Mask, path: Path, outputs: Outputs, predictor: Predictor) -> None:
    write_segmentation(
        mask.join_objects(),
        path,
        [header.describe() for header in outputs.slices],
        _name_algorithm(predictor.recipe, predictor.weights_sha256),
        lambda part, _: read_segmentation(part, mask.grid, mask.join_objects().table),
    )
