"""Finds the series below a folder of real scans, and what their headers say of the place and value of each pixel.

It is done by pydicom alone, file by file, and not by medunet's reading, which is judged by it like the others.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut

from medunet.geometry import ACCEPTED_MM, Affine
from medunet.testing.faults import Slice, Verdict, Volumes

OTHERS = ("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD", "SR", "PR", "KO", "REG", "FID", "DOC")
"""Modalities that hold no image of a scanner."""
LOSS = 2.0
"""Stored numbers by which two decoders of a lossy compression may differ."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RealSeries:
    """Files of one SeriesInstanceUID.

    Attributes:
        name: the folder of its first file below the one that was searched, and its modality.
        files: in the order of their names.
    """

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What the headers of a series say.

    Attributes:
        slices: of all files and frames.
        tolerance: largest difference of a value that is right.
    """

    slices: tuple[Slice, ...]
    tolerance: float


def find_real_series(folder: Path) -> tuple[list[RealSeries], int]:
    """Find all series of images below a folder.

    Returns:
        The series in the order of their names, and the number of files that are no image in DICOM.
    """
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    others = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            header = dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, OSError):
            others += 1
            continue
        if "Rows" in header and header.get("Modality") not in OTHERS:
            files[str(header.get("SeriesInstanceUID")), str(header.get("Modality"))].append(path)
        else:
            others += 1
    found = [
        RealSeries(f"{paths[0].parent.relative_to(folder)} {modality}", tuple(paths))
        for (_, modality), paths in files.items()
    ]
    return sorted(found, key=lambda series: (series.name, series.files)), others


def read_truth(series: RealSeries) -> Truth:
    """Read place and values of every slice, as DICOM PS3.3 C.7.6.2 and C.11.1 define them.

    Raises:
        ValueError: a header doesn't say where its image lies, or it is no grey image.
    """
    slices: list[Slice] = []
    tolerance = 0.01
    for path in series.files:
        dataset = dcmread(path)
        if dataset.get("SamplesPerPixel") != 1:
            raise ValueError(f"{path.name}: it is no grey image")
        if "BitsStored" in dataset and dataset.get("HighBit") != dataset.BitsStored - 1:
            raise ValueError(f"{path.name}: HighBit is not the highest of BitsStored")
        taken = list(_take_slices(dataset, path.name))
        slope = max((abs(float(group.get("RescaleSlope", 1))) for group in _list_rescales(dataset)), default=1.0)
        lossy = LOSS * slope if dataset.get("LossyImageCompression") == "01" else 0.0
        # Readers that keep float32 round the seventh digit.
        largest = max(float(np.abs(item.values).max()) for item in taken)
        tolerance = max(tolerance, lossy, 1e-6 * largest)
        slices += taken
    return Truth(tuple(slices), tolerance)


def _take_slices(dataset: Dataset, name: str) -> Iterator[Slice]:
    """The image of a file, or its frames."""
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    pixels = dataset.pixel_array
    if frames is None:
        if pixels.ndim != 2:
            raise ValueError(f"{name}: its frames don't say where they lie")
        yield _place(apply_modality_lut(pixels, dataset), [dataset], name)
        return
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for plane, frame in zip(pixels.reshape(-1, *pixels.shape[-2:]), frames, strict=True):
        elements = [element for whole in (frame, shared) for element in whole if element.VR == "SQ" and element.value]
        groups = [element.value[0] for element in elements]
        scaled = [group for group in groups if "RescaleSlope" in group]
        values = plane * float(scaled[0].RescaleSlope) + float(scaled[0].RescaleIntercept) if scaled else plane
        yield _place(values, groups, name)


def _place(values: npt.NDArray[Any], groups: Sequence[Dataset], name: str) -> Slice:
    found: dict[str, Floats] = {}
    for keyword, count in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
        held = [group[keyword].value for group in groups if keyword in group]
        if not held or held[0] is None or np.size(held[0]) != count:
            raise ValueError(f"{name}: {keyword} is missing")
        found[keyword] = np.array(held[0], dtype=np.float64)
    rows, columns = found["PixelSpacing"].tolist()
    return Slice(
        dataset=None,
        values=values.astype(np.float32),
        position=found["ImagePositionPatient"],
        directions=found["ImageOrientationPatient"].reshape(2, 3),
        spacing=(rows, columns),
        name=name,
    )


def _list_rescales(dataset: Dataset) -> list[Dataset]:
    held = [*dataset.get("SharedFunctionalGroupsSequence", ()), *dataset.get("PerFrameFunctionalGroupsSequence", ())]
    inner = [group for whole in held for group in whole.get("PixelValueTransformationSequence", ())]
    return [group for group in (dataset, *inner) if "RescaleSlope" in group]


@dataclass(frozen=True, slots=True)
class _Found:
    """A slice in a volume: which plane of it, how far off, and how its values differ."""

    plane: tuple[int, ...]
    millimetres: float
    units: float


def judge_real(volumes: Volumes, truth: Truth) -> Verdict:
    """Look in what a reader made at the places where the headers put each pixel.

    Slices of real scans resemble each other, so that they can't be told apart by content as those of phantoms are.
    A slice counts as delivered where its four corners lie within a volume; the volume in which its values differ
    least counts. A reader that puts a slice elsewhere by more than half a voxel shows by the values of another slice.

    Args:
        volumes: what the reader made; a fourth axis counts volumes of one affine.
        truth: of the series.

    Returns:
        All slices are wanted; planes where no header puts a slice are invented.
    """
    parts = [(part, affine) for array, affine in volumes for part in _split(array)]
    found: list[_Found] = []
    last = 0
    for item in truth.slices:
        best: _Found | None = None
        # Slices that follow each other lie in one volume, as a rule.
        for number in sorted(range(len(parts)), key=lambda n: (n != last, n)):
            here = _look(parts[number], item, number)
            if here and (best is None or (here.units, here.millimetres) < (best.units, best.millimetres)):
                best, last = here, number
            if best and best.units <= truth.tolerance and best.millimetres <= ACCEPTED_MM:
                break
        found += [best] if best else []
    planes = sum(part.size for part, _ in parts) // max(1, truth.slices[0].values.size)
    return Verdict(
        millimetres=max((here.millimetres for here in found), default=0.0),
        units=max((here.units for here in found), default=0.0),
        delivered=len(found),
        wanted=len(truth.slices),
        invented=max(0, planes - len({here.plane for here in found})),
        mixed=False,
    )


def _split(array: npt.NDArray[Any]) -> list[npt.NDArray[np.float32]]:
    """Volumes of three axes; none of an array that holds none."""
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3, 4):
        return []
    whole = array.astype(np.float32, copy=False)
    return (
        list(np.moveaxis(whole, -1, 0)) if array.ndim == 4 else [whole.reshape(array.shape + (1,) * (3 - array.ndim))]
    )


def _look(volume: tuple[npt.NDArray[np.float32], Affine], item: Slice, number: int) -> _Found | None:
    """A slice at its place in one volume; None where that is outside."""
    array, affine = volume
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        return None
    corners = (item.corners() - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    nearest = np.rint(corners)
    if (nearest < 0).any() or (nearest >= array.shape).any():
        return None
    rows, columns = item.values.shape
    down, along = (nearest[2] - nearest[0]) / max(rows - 1, 1), (nearest[1] - nearest[0]) / max(columns - 1, 1)
    steps = np.arange(rows)[:, None, None] * down + np.arange(columns)[:, None] * along
    index = np.rint(nearest[0] + steps).astype(np.intp)
    plane = array[index[..., 0], index[..., 1], index[..., 2]]
    difference = float(np.abs(plane - item.values).max())
    return _Found(
        plane=(number, *nearest.astype(int).min(0).tolist(), *nearest.astype(int).max(0).tolist()),
        millimetres=float(np.linalg.norm((nearest - corners) @ affine[:3, :3].T, axis=1).max()),
        units=difference if np.isfinite(difference) else np.inf,
    )
