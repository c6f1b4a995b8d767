"""Ordinary volumes in files of other formats, made of a scan whose truth is known: NIfTI, NRRD, MHA."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import SimpleITK

from medunet.geometry import Affine, flip_lps_ras
from medunet.testing.faults.edits import Edit
from medunet.testing.faults.scans import Scan

Array = npt.NDArray[Any]
Make = Callable[[Array, Affine], Any]
"""From values (I, J, K) and their affine to RAS+ mm to an image of nibabel."""


def take_volume(scan: Scan) -> tuple[Array, Affine]:
    """Values (I, J, K) of a scan that wasn't written, and its affine to RAS+ mm; its slices are left without files."""
    first, second = scan.slices[:2]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = first.directions[0] * first.spacing[1], first.directions[1] * first.spacing[0]
    affine[:3, 2], affine[:3, 3] = second.position - first.position, first.position
    values = np.stack([item.values.T for item in scan.slices], axis=-1)
    for item in scan.slices:
        item.dataset = None
    return values, flip_lps_ras(affine)


def save_nifti(make: Make, name: str = "scan.nii.gz") -> Edit:
    """Make an edit that writes the scan as one NIfTI file in place of DICOM.

    Args:
        make: the image.
        name: of the file.
    """

    def edit(scan: Scan) -> None:
        image = make(*take_volume(scan))

        def late(folder: Path) -> None:
            plain = folder / name.lower()
            nib.save(image, plain)
            plain.rename(folder / name)

        scan.late.append(late)

    return edit


def place(values: Array, affine: Affine, *, sform: int = 1, qform: int = 1, kind: Any = nib.Nifti1Image) -> Any:
    """An image with its affine in sform and qform, each as its code says; 0 leaves it out."""
    image = kind(values, affine)
    image.set_sform(affine if sform else None, sform)
    image.set_qform(affine if qform else None, qform)
    return image


def save_plain(values: Array, affine: Affine) -> Any:
    """16 bits, both affines."""
    return place(values.astype(np.int16), affine)


def save_sform(values: Array, affine: Affine) -> Any:
    """Only the sform."""
    return place(values.astype(np.int16), affine, qform=0)


def save_qform(values: Array, affine: Affine) -> Any:
    """Only the qform."""
    return place(values.astype(np.int16), affine, sform=0)


def save_floats(values: Array, affine: Affine) -> Any:
    """64 bits of floating point."""
    return place(values.astype(np.float64), affine)


def save_scaled(values: Array, affine: Affine) -> Any:
    """A slope and an intercept."""
    image = place(((values + 1000) * 2).astype(np.int16), affine)
    image.header.set_slope_inter(0.5, -1000)
    # Else nibabel would store what it is told the values are.
    image.header["scl_slope"], image.header["scl_inter"] = 0.5, -1000
    scaled = nib.Nifti1Image(np.asarray(values, np.float64), affine, image.header)
    scaled.set_data_dtype(np.int16)
    return scaled


def save_permuted(values: Array, affine: Affine) -> Any:
    """Axes in another order, two of them reversed."""
    turned, corner = values.transpose(2, 0, 1)[::-1, :, ::-1], np.eye(4)
    corner[:3, :3] = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    corner[:3, 3] = 0, values.shape[1] - 1, values.shape[2] - 1
    return place(np.ascontiguousarray(turned).astype(np.int16), affine @ corner)


def save_big_endian(values: Array, affine: Affine) -> Any:
    """The other byte order."""
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    image = nib.Nifti1Image(values.astype(np.int16), affine, header)
    image.set_sform(affine, 1)
    return image


def save_second(values: Array, affine: Affine) -> Any:
    """NIfTI-2."""
    return place(values.astype(np.int32), affine, kind=nib.Nifti2Image)


def save_four_axes(values: Array, affine: Affine) -> Any:
    """A fourth axis of one volume."""
    return place(values.astype(np.int16)[..., None], affine)


def save_metres(values: Array, affine: Affine) -> Any:
    """Lengths in metres, as the header says."""
    scaled = affine.copy()
    scaled[:3] /= 1000
    image = place(values.astype(np.float32), scaled)
    image.header.set_xyzt_units("meter", "sec")
    return image


def save_sheared(values: Array, affine: Affine) -> Any:
    """A sform that is sheared by a hair beside a qform that can't be."""
    image = place(values.astype(np.int16), affine, qform=1)
    sheared = affine.copy()
    sheared[:3, 1] += 1e-5 * affine[:3, 0]
    image.set_sform(sheared, 1)
    return image


def save_itk(name: str, *, compress: bool = False) -> Edit:
    """Make an edit that writes the scan as NRRD or MHA, as the ending of the name says."""

    def edit(scan: Scan) -> None:
        values, affine = take_volume(scan)
        lps = flip_lps_ras(affine)
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.astype(np.int16).T))
        image.SetSpacing(spacing.tolist())
        image.SetOrigin(lps[:3, 3].tolist())
        image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
        scan.late.append(lambda folder: SimpleITK.WriteImage(image, str(folder / name), compress))

    return edit
