"""NIfTI by nibabel, NRRD and MHA by SimpleITK: array and grid, or a refusal."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from medunet.errors import GeometryError, InputError
from medunet.geometry import ACCEPTED_MM, Affine, Grid, flip_lps_ras, measure_displacement

SCALES = {"meter": 1000.0, "micron": 0.001, "mm": 1.0, "unknown": 1.0}
COMPONENTS = 16
"""A file of more volumes is taken for a time series."""
Read = tuple[npt.NDArray[np.generic], Grid, tuple[str, ...]]


def read_nifti(path: Path) -> Read:
    """Read a NIfTI file to its end.

    Returns:
        Voxels (C, I, J, K), a component for each volume of a 4-D file, in the stored type, or scaled to float32; RAS
        grid; notes.

    Raises:
        GeometryError: qform and sform disagree, both are absent, or no affine follows from them.
        InputError: it is damaged, holds a time series, colours, or values that are not finite.
    """
    _check_whole(path)
    try:
        image: Any = nib.Nifti1Image.from_filename(path)
        shape = (*image.shape, 1)
        if len(shape) not in (4, 5) or not 1 <= shape[3] <= COMPONENTS:
            raise InputError(path, f"it has the shape {image.shape}, not one volume", "split it into volumes")
        voxels = np.moveaxis(np.asanyarray(image.dataobj).reshape(shape[:4]), 3, 0)
    except (
        ImageFileError,
        HeaderDataError,
        OSError,
        EOFError,
        ValueError,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"it can't be read as NIfTI ({error})", "restore the file") from None
    if voxels.dtype.kind not in "iuf":
        raise InputError(path, f"its voxels are {voxels.dtype}, not single numbers", "give a grey image")
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        count = int((~np.isfinite(voxels)).sum())
        raise InputError(path, f"{count} voxels are not finite", "replace them before use")
    affine, notes = _choose_affine(image, path)
    voxels = voxels.astype(np.float32) if voxels.dtype == np.float64 else voxels
    return voxels, Grid(shape[:3], affine), notes


def _check_whole(path: Path) -> None:
    """Unpack a gzip to its end: nibabel notices neither a wrong checksum nor all truncations."""
    with path.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            return
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 24):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(path, f"its compression is damaged ({error})", "restore the file") from None


def _choose_affine(image: Any, path: Path) -> tuple[Affine, tuple[str, ...]]:
    header = image.header
    try:
        sform, s_code = header.get_sform(coded=True)
        qform, q_code = header.get_qform(coded=True)
    except (HeaderDataError, ValueError) as error:
        raise GeometryError(path, f"its qform is no rotation ({error})", "repair the header") from None
    if not s_code and not q_code:
        raise GeometryError(path, "neither sform nor qform is set, so its place is unknown", "set one of them")
    shape = (*image.shape[:3],)
    try:
        grids = [Grid(shape, form) for form, code in ((sform, s_code), (qform, q_code)) if code]
    except GeometryError as error:
        raise GeometryError(path, f"its affine: {error.found}", error.remedy) from None
    if len(grids) == 2 and (distance := measure_displacement(*grids)) > ACCEPTED_MM:
        raise GeometryError(path, f"its qform and sform lie {distance:.3g} mm apart", "delete the wrong one")
    unit = header.get_xyzt_units()[0]
    factor = SCALES.get(unit, 1.0)
    affine = np.diag([factor, factor, factor, 1.0]) @ grids[0].affine
    return affine, (f"units of {unit} were scaled to mm",) if factor != 1 else ()


def read_itk(path: Path) -> Read:
    """Read a NRRD or MHA file.

    Returns:
        As `read_nifti`.

    Raises:
        InputError: it is damaged, or no volume of one channel.
    """
    import SimpleITK  # loading it takes a third of a second, which NIfTI and DICOM don't need

    _check_data_file(path)
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(path, f"it can't be read ({str(error).strip().splitlines()[-1]})", "restore it") from None
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(path, f"it has {image.GetDimension()} axes, not one volume", "give a grey volume")
    voxels = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        raise InputError(path, "some voxels are not finite", "replace them before use")
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return voxels[None], Grid(voxels.shape, flip_lps_ras(affine)), ()


def _check_data_file(path: Path) -> None:
    """A header may name its data file; one elsewhere would be read as voxels without a word."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    for line in head.splitlines()[:60]:
        key, _, value = line.replace(b":", b"=", 1).partition(b"=")
        if key.strip().lower() in (b"elementdatafile", b"data file", b"datafile"):
            name = value.strip().decode(errors="replace")
            if "/" in name or "\\" in name:
                raise InputError(path, f"it takes its voxels from {name}", "put the data file beside the header")
