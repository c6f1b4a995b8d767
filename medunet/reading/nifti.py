"""NIfTI by nibabel, NRRD and MHA by SimpleITK: array and grid, or a refusal."""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError

from medunet.errors import GeometryError, InputError
from medunet.geometry import ACCEPTED_MM, RECORDED_MM, Grid, Shape, flip_lps_ras, measure_displacement
from medunet.reading.workers import read_by_itk

SCALES = {"meter": 1000.0, "micron": 0.001, "mm": 1.0, "unknown": 1.0}
"""Length of a unit of NIfTI's xyzt_units in mm."""
PIXDIM = 1e-3
"""Relative difference from which spacing in the header and in the affine are told apart."""
NIFTI_2 = (540).to_bytes(4, "little")
"""Size of its header, with which a NIfTI-2 file begins, in either byte order."""
HEADER_BYTES = 1 << 20
"""A text header that is longer is refused."""
SPACES = {"right-anterior-superior", "left-anterior-superior", "left-posterior-superior", "ras", "las", "lps"}
"""Spaces of NRRD that are tied to the patient; ITK takes any other one, and none, for the last of these."""
LARGEST_TYPE, MOST_COMPRESSION = 8, 1032
"""Bytes of a voxel at most, and of what zlib makes of a byte at most (zlib.net/zlib_tech.html)."""
COMPONENTS = 16
"""A file of more volumes is taken for a time series."""
Form = Literal["sform", "qform"]
FORMS: tuple[Form, ...] = ("sform", "qform")
"""The two affines of a NIfTI file; the first counts where both are set and agree."""
Read = tuple[npt.NDArray[np.generic], Grid, tuple[str, ...]]


def read_nifti(path: Path, prefer: Form | None = None) -> Read:
    """Read a NIfTI file (version 1 or 2) to its end.

    Args:
        path: .nii or .nii.gz.
        prefer: the affine that counts where both are set, whatever the other one says.

    Returns:
        Voxels (C, I, J, K), a component for each volume of a 4-D file, in the stored type, or scaled to float32; RAS
        grid; notes.

    Raises:
        GeometryError: qform and sform disagree, both are absent, or no affine follows from them.
        InputError: it is damaged, holds a time series, colours, or values that are not finite.
    """
    length = _measure_length(path)
    try:
        image, header = _open_nifti(path)
        shape = (*image.shape, 1)
        if len(shape) not in (4, 5) or 0 in shape or shape[3] > COMPONENTS:
            raise InputError(path, f"it has the shape {image.shape}, not one volume", "split it into volumes")
        _check_size(image, length, path)
        if np.isinf(header["scl_slope"]):
            raise InputError(path, f"its scl_slope is {header['scl_slope']}", "restore the header")
        voxels = np.moveaxis(np.asanyarray(image.dataobj).reshape(shape[:4]), 3, 0)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"it can't be read as NIfTI ({error})", "restore the file") from None
    grid, notes = _choose_grid(header, shape[:3], path, prefer)
    return _check_values(voxels, path), grid, notes


def _open_nifti(path: Path) -> tuple[Any, Any]:
    """Open by the size of the header and nothing else: other formats would be read without a place.

    Returns:
        The image, and its header as it is stored: the image's own one has been "repaired", 0 mm to 1 mm.
    """
    with ImageOpener(path) as stream:
        size = stream.read(4)
        kind = nib.Nifti2Image if NIFTI_2 in (size, size[::-1]) else nib.Nifti1Image
        stream.seek(0)
        return kind.from_filename(path), kind.header_class.from_fileobj(stream, check=False)


def _measure_length(path: Path) -> int:
    """Bytes that the file holds, unpacked; a gzip is read to its end, since nibabel doesn't check its sum."""
    with path.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            return path.stat().st_size
    length = 0
    try:
        with gzip.open(path) as stream:
            while block := stream.read(1 << 22):
                length += len(block)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(path, f"its compression is damaged ({error})", "restore the file") from None
    return length


def _check_size(image: Any, length: int, path: Path) -> None:
    """Check before anything is allocated that the file holds the voxels that its header declares."""
    offset, smallest = int(image.dataobj.offset), int(image.header.single_vox_offset)
    wanted = offset + math.prod(image.shape) * image.header.get_data_dtype().itemsize
    if offset < smallest:
        raise InputError(path, f"its voxels start at byte {offset}, within the header", "restore the file")
    if length < wanted:
        raise InputError(path, f"it holds {length} bytes", "restore the file", expected=f"{wanted}")


def _check_values(voxels: npt.NDArray[np.generic], path: Path) -> npt.NDArray[np.generic]:
    """Single finite numbers, of 32 bits where they are floats."""
    if voxels.dtype.kind not in "iuf":
        raise InputError(path, f"its voxels are {voxels.dtype}, not single numbers", "give a grey image")
    if voxels.dtype.kind != "f":
        return voxels
    with np.errstate(over="ignore"):
        single = voxels.astype(np.float32, copy=False)
    count = int(single.size - np.count_nonzero(np.isfinite(single)))
    if count:
        raise InputError(path, f"{count} voxels are not finite", "replace them before use")
    return single


def _choose_grid(header: Any, shape: Shape, path: Path, prefer: Form | None) -> tuple[Grid, tuple[str, ...]]:
    forms = [form for form in FORMS if header[f"{form}_code"] > 0]
    if not forms:
        raise GeometryError(path, "neither sform nor qform is set, so its place is unknown", "set one of them")
    notes = []
    if prefer and len(forms) == 2:
        forms = [prefer]
        notes.append(f"the {prefer} was chosen, whatever the other one says")
    unit = header.get_xyzt_units()[0]
    factor = SCALES.get(unit, 1.0)
    grids = [_make_grid(header, form, factor, shape, path) for form in forms]
    distance = measure_displacement(grids[0], grids[-1])
    # Or by a voxel, where voxels are smaller than that.
    if distance > min(RECORDED_MM, *grids[0].spacing):
        found = f"its qform and sform lie {distance:.3g} mm apart"
        raise GeometryError(path, found, "choose one with --prefer sform or qform, or delete the wrong one")
    if distance > ACCEPTED_MM:
        notes.append(f"qform and sform lie {distance:.3g} mm apart; the sform counts")
    if factor != 1:
        notes.append(f"units of {unit} were scaled to mm")
    stored = np.abs(np.array(header["pixdim"][1:4], dtype=np.float64)) * factor
    if not np.allclose(stored, grids[0].spacing, rtol=PIXDIM, atol=0):
        notes.append(f"pixdim gives the spacing {stored.round(4).tolist()} mm; that of the sform counts")
    return grids[0], tuple(notes)


def _make_grid(header: Any, form: Form, factor: float, shape: Shape, path: Path) -> Grid:
    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1  # as the standard says of qfac
    try:
        affine = header.get_sform() if form == "sform" else header.get_qform()
        return Grid(shape, np.diag([factor, factor, factor, 1.0]) @ affine)
    except (HeaderDataError, ValueError) as error:
        raise GeometryError(path, f"its {form}: {getattr(error, 'found', error)}", "repair the header") from None


def read_itk(path: Path) -> Read:
    """Read a NRRD or MHA file.

    Args:
        path: .nrrd, .nhdr, .mha or .mhd.

    Returns:
        As `read_nifti`.

    Raises:
        InputError: it is damaged, no volume of one channel, or takes its voxels from elsewhere.
        GeometryError: no affine follows from its header.
    """
    if os.fsencode(path) != str(path).encode(errors="replace"):
        # ITK would end the process.
        raise InputError(path, "its name can't be given to ITK in this locale", "run in a UTF-8 locale, or rename it")
    fields = _read_fields(path)
    _check_data_file(path, fields)
    _check_place(path, fields)
    place, stored = read_by_itk(path, _count_voxels(path, fields) * LARGEST_TYPE)
    if place["axes"] != 3 or place["components"] != 1:
        found = f"it has {place['axes']} axes and {place['components']} channels"
        raise InputError(path, f"{found}, not one volume", "give a grey volume")
    voxels = _check_values(stored, path).transpose(2, 1, 0)
    affine = np.eye(4)
    affine[:3, :3] = np.array(place["direction"]).reshape(3, 3) * np.array(place["spacing"])
    affine[:3, 3] = place["origin"]
    try:
        return voxels[None], Grid(voxels.shape, flip_lps_ras(affine)), ()
    except GeometryError as error:
        raise GeometryError(path, f"its affine: {error.found}", error.remedy) from None


def _read_fields(path: Path) -> dict[str, str]:
    """The fields of a NRRD or MHA header, keys in lower case without spaces."""
    nrrd = path.suffix.lower() in (".nrrd", ".nhdr")
    with path.open("rb") as stream:
        head = stream.read(HEADER_BYTES)
    fields: dict[str, str] = {}
    for line in head.splitlines():
        if nrrd and not line.strip():
            break  # voxels follow an empty line
        key, _, value = line.decode(errors="replace").replace(":", "=", 1).partition("=")
        fields.setdefault(key.strip().lower().replace(" ", ""), value.strip())
        if "elementdatafile" in fields:
            break  # voxels follow
    return fields


def _count_voxels(path: Path, fields: dict[str, str]) -> int:
    """Voxels that a NRRD or MHA header declares, as many as its file can hold."""
    text = fields.get("sizes", fields.get("dimsize", ""))
    try:
        count = math.prod(int(size) for size in text.split())
    except ValueError:
        count = 0
    data = path.with_name(fields.get("elementdatafile", fields.get("datafile", "")) or path.name)
    held = (data if data.is_file() else path).stat().st_size * MOST_COMPRESSION
    if not 1 <= count <= held:
        raise InputError(path, f"it declares the size '{text}' and holds at most {held} voxels", "restore the file")
    return count


def _check_data_file(path: Path, fields: dict[str, str]) -> None:
    """A header may name its data file; one elsewhere would be read as voxels without a word."""
    name = fields.get("elementdatafile", fields.get("datafile", "LOCAL"))
    if name.upper() == "LOCAL":
        return
    if "/" in name or "\\" in name or "%" in name or name.upper().startswith("LIST") or not name:
        raise InputError(path, f"it takes its voxels from {name or 'nowhere'}", "put one data file beside the header")
    if (path.parent / name).is_symlink():
        raise InputError(path, f"it takes its voxels through the link {name}", "put the data file beside it")


def _check_place(path: Path, fields: dict[str, str]) -> None:
    """ITK fills in what a header leaves out: 1 mm, no turn, LPS."""
    if path.suffix.lower() in (".mha", ".mhd"):
        missing = [] if {"elementspacing", "elementsize"} & set(fields) else ["ElementSpacing"]
    else:
        missing = [name for name in ("space", "space directions") if name.replace(" ", "") not in fields]
    if missing:
        raise GeometryError(path, f"its header has no {missing[0]}, so its place is unknown", "add it to the header")
    space = fields.get("space", "lps").lower()
    if space not in SPACES:
        raise GeometryError(path, f"its space is {space}, not one of the patient", "write it in LPS or RAS")
