"""A small scan in which the place and the value of every voxel are known, ready to be spoiled.

Each slice is a field of its own that no flip or turn maps onto another, so that a reader's output can be compared
slice by slice whatever order and axes it chose. Positions and directions are LPS+ millimetres, as in DICOM.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import UID
from pydicom.valuerep import format_number_as_ds

from medunet.geometry import Grid, flip_lps_ras
from medunet.testing.phantoms.dicom import Identity, make_uid, write_ct

SHAPE = (32, 36, 9)
"""Columns, rows and slices of a clean scan: voxels along (I, J, K)."""
SPACING = (0.9, 0.6, 3.27)
"""Spacing of a clean scan, mm along (I, J, K)."""
ORIGIN = (-20.0, 35.0, 110.0)
"""Centre of the first voxel of a clean scan, LPS+ mm."""
Plane = npt.NDArray[np.float64]
"""(rows, columns)."""
Late = Callable[[Path], None]
"""Edit of a folder after the files were written."""


def _complete(row: tuple[float, ...], column: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Directions of I, J and of the normal K, as columns, from two that need not be perpendicular."""
    first = np.array(row) / np.linalg.norm(row)
    second = np.array(column) - (np.array(column) @ first) * first
    second /= np.linalg.norm(second)
    return np.column_stack([first, second, np.cross(first, second)])


ORIENTATIONS = {
    "axial": np.eye(3),
    "sagittal": _complete((0, 1, 0), (0, 0, -1)),
    "coronal": _complete((1, 0, 0), (0, 0, -1)),
    "oblique": _complete((1, -0.1, 0.05), (0.2, 1, -0.3)),
}
"""Name to the directions of I, J and K, columns of (3, 3), LPS+."""


@dataclass(slots=True, eq=False)
class Slice:
    """One image and the truth about it, which an edit of its header may or may not change.

    Attributes:
        dataset: as it will be written; None where another object holds it (multi-frame).
        values: (rows, columns) what its pixels mean: HU, or the stored numbers of an MR.
        position: (3,) centre of the first pixel, LPS+ mm.
        directions: (2, 3) unit vectors along a row and down a column, LPS+.
        spacing: mm between rows, between columns.
        group: name of the image that it belongs to; slices of different groups never make one volume.
        extra: a copy or a localizer, which a reader need not deliver.
        name: of its file.
    """

    dataset: Any
    values: Plane
    position: npt.NDArray[np.float64]
    directions: npt.NDArray[np.float64]
    spacing: tuple[float, float]
    group: str = "main"
    extra: bool = False
    name: str = ""

    def corners(self) -> npt.NDArray[np.float64]:
        """Centres (4, 3), RAS+ mm, of the pixels at the corners.

        Their order is first row and first column, first row and last column, last row and first column, last row and
        last column.
        """
        rows, columns = self.values.shape
        index = np.array([(r, c) for r in (0, rows - 1) for c in (0, columns - 1)], dtype=np.float64)
        steps = np.array([self.directions[1] * self.spacing[0], self.directions[0] * self.spacing[1]])
        corners: npt.NDArray[np.float64] = (self.position + index @ steps) * (-1.0, -1.0, 1.0)
        return corners

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """(3,) unit vector across the slice, LPS+: the cross product of the directions along a row and a column."""
        return np.cross(*self.directions)

    def move(self, offset: npt.ArrayLike) -> None:
        """Shift the slice, header and truth, by (3,) LPS+ mm."""
        self.dataset.ImagePositionPatient = write_numbers(self.position + np.asarray(offset))
        self.position = np.array([float(value) for value in self.dataset.ImagePositionPatient])

    def turn(self, directions: npt.NDArray[np.float64]) -> None:
        """Give the slice, header and truth, other directions: (2, 3) unit vectors along a row and down a column."""
        self.dataset.ImageOrientationPatient = write_numbers(directions.ravel())
        self.directions = np.array([float(v) for v in self.dataset.ImageOrientationPatient]).reshape(2, 3)

    def is_grey(self) -> bool:
        """Whether it has numbers for pixels: what another fault has added may be a picture, or have none."""
        return "PixelData" in self.dataset and self.dataset.get("SamplesPerPixel") == 1

    def stored(self) -> npt.NDArray[np.int64]:
        """The (rows, columns) numbers in its pixel data, which must be uncompressed, of 16 bits allocated.

        Those of a signed slice have their sign in the highest of the bits stored.
        """
        numbers = np.frombuffer(self.dataset.PixelData, np.uint16).reshape(self.values.shape).astype(np.int64)
        if not self.dataset.PixelRepresentation:
            return numbers
        sign = 1 << (self.dataset.BitsStored - 1)
        signed: npt.NDArray[np.int64] = (numbers & (2 * sign - 1)) - 2 * (numbers & sign)
        return signed

    def store(self, numbers: npt.NDArray[np.integer[Any]], bits: int = 16, signed: bool = False) -> None:
        """Replace the numbers in its pixel data, where it has any; the truth stays as it is.

        Args:
            numbers: (rows, columns).
            bits: that are declared as stored, of 16 allocated.
            signed: declares two's complement.
        """
        if not self.is_grey():
            return
        self.dataset.PixelData = np.ascontiguousarray(numbers.astype("<i2" if signed else "<u2")).tobytes()
        self.dataset.BitsStored, self.dataset.HighBit = bits, bits - 1
        self.dataset.PixelRepresentation = int(signed)


@dataclass(slots=True, eq=False)
class Scan:
    """A series that isn't written yet: slices, and what is done to their folder after they were written.

    Attributes:
        slices: in the order of their place.
        late: edits of the folder, in order.
    """

    slices: list[Slice]
    late: list[Late] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write all files into a folder, which is made if it isn't there, and edit them."""
        folder.mkdir(parents=True, exist_ok=True)
        for item in self.slices:
            if item.dataset is not None:
                write_dataset(item.dataset, folder / item.name)
        for edit in self.late:
            edit(folder)

    def add(self, copied: Slice, name: str) -> Slice:
        """Add a copy of a slice with a SOPInstanceUID and a file of its own; returns the copy.

        Args:
            copied: one of the slices, which stays as it is.
            name: of the file, without ending.
        """
        fresh = copy.deepcopy(copied)
        fresh.name = f"{name}.dcm"
        rename(fresh.dataset, make_uid(copied.dataset.SOPInstanceUID, name))
        self.slices.append(fresh)
        return fresh


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write a data set, sound or not, as one file in the encoding that its transfer syntax names."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    dcmwrite(
        path,
        dataset,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
        force_encoding=True,
    )


def write_numbers(values: npt.ArrayLike) -> list[str]:
    """Write numbers as decimal strings of 16 characters at most, as DICOM has them."""
    return [format_number_as_ds(float(value)) for value in np.asarray(values)]


def rename(dataset: Dataset, uid: str) -> None:
    """Give an image another SOPInstanceUID, in the data set and in the header of its file."""
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)


def draw_values(seed: int, shape: tuple[int, int, int] = SHAPE) -> npt.NDArray[np.int16]:
    """Draw values of which no slice resembles another, nor itself flipped or turned.

    Args:
        seed: equal ones give equal values.
        shape: voxels along (I, J, K).

    Returns:
        (I, J, K) int16 in HU: blocks and noise, about half of them negative.
    """
    rng = np.random.default_rng(seed)
    columns, rows, slices = shape
    blocks = rng.normal(0, 300, (-(-columns // 5), -(-rows // 5), slices))
    field = np.kron(blocks, np.ones((5, 5, 1)))[:columns, :rows] + rng.integers(-30, 30, shape)
    values: npt.NDArray[np.int16] = np.clip(field, -1000, 2000).astype(np.int16)
    return values


def make_scan(orientation: str = "axial", seed: int = 0, spacing: tuple[float, float, float] = SPACING) -> Scan:
    """Make a clean CT series of 9 slices with 36 rows and 32 columns, whose spacing differs along all three axes.

    Args:
        orientation: a key of `ORIENTATIONS`.
        seed: of its content.
        spacing: mm along I (between columns), J and K.

    Returns:
        Slices in the order of their place, which the caller may change.
    """
    return copy.deepcopy(_make_clean(orientation, seed, spacing))


@lru_cache
def _make_clean(orientation: str, seed: int, spacing: tuple[float, float, float]) -> Scan:
    affine = np.eye(4)
    affine[:3, :3] = ORIENTATIONS[orientation] * spacing
    affine[:3, 3] = ORIGIN
    grid = Grid(SHAPE, flip_lps_ras(affine))
    voxels = draw_values(seed)
    with TemporaryDirectory() as folder:
        write_ct(Path(folder), voxels, grid, Identity.from_content("FAULT^Phantom", "PH-F", "O", voxels, grid))
        files = sorted(Path(folder).iterdir())
        return Scan([take_slice(dcmread(path), voxels[:, :, k].T, path.name) for k, path in enumerate(files)])


def take_slice(dataset: Dataset, values: npt.NDArray[np.generic], name: str) -> Slice:
    """Make a slice of a data set whose header tells the truth.

    Args:
        dataset: a single image with position, orientation and PixelSpacing.
        values: (rows, columns) what its pixels mean.
        name: of its file.
    """
    return Slice(
        dataset=dataset,
        values=values.astype(np.float64),
        position=np.array([float(value) for value in dataset.ImagePositionPatient]),
        directions=np.array([float(value) for value in dataset.ImageOrientationPatient]).reshape(2, 3),
        spacing=(float(dataset.PixelSpacing[0]), float(dataset.PixelSpacing[1])),
        name=name,
    )
