"""Open a case: its images, and its labels on the grid of the first."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from medunet.cohort.cases import Case, Channel, Cohort
from medunet.errors import LabelError
from medunet.geometry import Grid
from medunet.labels import Mask
from medunet.reading import (
    ANYWHERE,
    Image,
    Place,
    Volume,
    choose_series,
    find_image,
    find_known,
    is_image_file,
    read_image,
    read_mask,
)


def find_channel(channel: Channel) -> Image:
    """Find one image of a case: the series that the channel carries, else what lies at its path.

    A folder of many series is found once for all cases that lie there.

    Raises:
        MedunetError: as `medunet.reading.find_image`.
    """
    path, series = Path(channel.path), channel.found
    if series is None and (is_image_file(path) or not path.exists()):
        return find_image(path, channel)
    series = series or choose_series(path, channel.series, find_known(path, channel.series))
    return Image(channel.path, channel, series)


def read_channel(case: Case, channel: str) -> Volume:
    """Read one image of a case.

    Raises:
        MedunetError: as `read_volume`.
    """
    return read_image(find_channel(case.channels[channel]))


def open_case(cohort: Cohort, case: Case) -> tuple[Volume, Mask]:
    """Read the first channel of a case, and its labels on that grid.

    Raises:
        MedunetError: as `read_channel` and `read_label`.
    """
    reference = read_channel(case, cohort.channels[0])
    return reference, read_label(cohort, case, reference.grid)


def read_label(cohort: Cohort, case: Case, grid: Grid) -> Mask:
    """Read the labels of a case on the grid of its first channel, in whose frame of reference they must lie.

    A structure that is declared but not drawn gives a mask without its voxels; a case of which nobody said where
    its labels are is refused, since an empty mask would be scored and learnt from as a healthy patient. The mask says
    which labels are unknown in it.

    Where labels are objects and the file numbers none (contours, DICOM SEG), each connected part is one.

    Raises:
        LabelError: the case has no label.
        MedunetError: as `read_mask`, or the first channel can't be found.
    """
    if case.label is None:
        raise LabelError(f"case {case.id}", "it has no label", "add one or leave the case out", code="label-missing")
    place, options = find_place(cohort, case), cohort.label_options
    skipped = {} if case.contoured is None else {name: "" for name in cohort.labels.names if name not in case.contoured}
    mask = read_mask(case.label.path, grid, cohort.labels, {**case.label.rois, **skipped}, place, options)
    mask = replace(mask, unknown=_find_unknown(cohort, case, mask))
    if not cohort.labels.objects or mask.kind == "instances":
        return mask
    parts, _ = ndimage.label(mask.voxels)
    return replace(mask, kind="instances", voxels=parts.astype(np.uint32))


def _find_unknown(cohort: Cohort, case: Case, mask: Mask) -> tuple[int, ...]:
    """Values of the labels that nobody looked for, as far as that is said.

    Raises:
        LabelError: one of them has voxels.
    """
    if case.contoured is None and cohort.missing != "unknown":
        return ()
    counts = mask.count_values()
    if case.contoured is None:
        return tuple(label.value for label in mask.table.labels if not counts[label.value])
    unknown = tuple(label for label in mask.table.labels if label.name not in case.contoured)
    if drawn := [label.name for label in unknown if counts[label.value]]:
        found = f"it has voxels of {', '.join(drawn)}, of which the case says that nobody looked for it"
        remedy = "add it to contoured, or leave contoured out"
        raise LabelError(case.label.path if case.label else case.id, found, remedy, code="labels-differ")
    return tuple(label.value for label in unknown)


def find_place(cohort: Cohort, case: Case) -> Place:
    """Where the labels of a case must lie, by UIDs; anywhere where files of its kind name none."""
    if case.label is None or is_image_file(Path(case.label.path)):
        return ANYWHERE
    series = find_channel(case.channels[cohort.channels[0]]).series
    return series.place if series else ANYWHERE
