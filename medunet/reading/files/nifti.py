"""NIfTI by nibabel: array and grid, or a refusal."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError

from medunet.errors import GeometryError, InputError, ResourceError
from medunet.findings import Note
from medunet.geometry import Grid, Shape, measure_displacement
from medunet.reading.files.values import Read, check_values
from medunet.scratch import Room

SCALES = {"meter": 1000.0, "micron": 0.001, "mm": 1.0, "unknown": 1.0}
"""Length of a unit of NIfTI's xyzt_units in mm."""
PIXDIM = 1e-3
"""Relative difference from which spacing in the header and in the affine are told apart."""
NIFTI_2 = (540).to_bytes(4, "little")
"""Size of its header, with which a NIfTI-2 file begins, in either byte order."""
PIECE = 1 << 22
"""Voxels that are read at once where they don't stay in memory."""
KEPT = 1 << 30
"""Bytes of an unpacked file that are kept at most, so that it is unpacked once: enough for a CT of 2,000 slices."""
COMPONENTS = 16
"""A file of more volumes is taken for a time series."""
_RESTORE = "restore the file"
Form = Literal["sform", "qform"]
FORMS: tuple[Form, ...] = ("sform", "qform")
"""The two affines of a NIfTI file; the first counts where both are set and agree."""


def read_nifti(path: Path, prefer: Form | None = None, room: Room | None = None) -> Read:
    """Read a NIfTI file (version 1 or 2) to its end.

    Args:
        path: .nii or .nii.gz.
        prefer: the affine that counts where both are set, whatever the other one says.
        room: where the voxels lie, which are read a few planes at a time then; in memory, all at once, if not given.

    Returns:
        Voxels (C, I, J, K), a component for each volume of a 4-D file, in the stored type, or scaled to float32; RAS
        grid; notes.

    Raises:
        GeometryError: qform and sform disagree, both are absent, or no affine follows from them.
        InputError: it is damaged, holds a time series, colours, or values that are not finite.
    """
    length, unpacked = _unpack(path, KEPT if room is None else 0)
    with _refuse_damage(path):
        image, header, shape = _open_volume(path, unpacked)
        _check_size(image, length, path)
        if np.isinf(header["scl_slope"]):
            found = f"its scl_slope is {header['scl_slope']}"
            raise InputError(path, found, "restore the header", code="rescale-wrong")
        if room is None:
            voxels = np.moveaxis(np.asanyarray(image.dataobj).reshape(shape), 3, 0)
    grid, notes = _choose_grid(header, shape[:3], path, prefer)
    if room is not None:
        with _refuse_damage(path):
            return _read_planes(image, shape, path, room), grid, notes
    return check_values(voxels, path), grid, notes


def find_nifti_grid(path: Path, prefer: Form | None = None) -> tuple[int, int, Grid]:
    """Components of a NIfTI file, bytes of each as it is read, and its grid, by its header alone; errors as above."""
    with _refuse_damage(path):
        image, header, shape = _open_volume(path)
    stored = image.dataobj
    whole = (stored.slope, stored.inter) == (1, 0) and stored.dtype.kind in "iu"
    size = stored.dtype.itemsize if whole else 4
    return shape[3], size, _choose_grid(header, shape[:3], path, prefer)[0]


@contextmanager
def _refuse_damage(path: Path) -> Iterator[None]:
    """One sentence in place of what nibabel raises."""
    try:
        yield
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError) as error:
        if isinstance(error, InputError | ResourceError):
            raise
        raise InputError(path, f"it can't be read as NIfTI ({error})", _RESTORE, code="file-damaged") from None


def _open_volume(path: Path, unpacked: bytes | None = None) -> tuple[Any, Any, tuple[int, int, int, int]]:
    """As `_open_nifti`, and the shape (I, J, K, C)."""
    image, header = _open_nifti(path, unpacked)
    shape = (*_drop_single(image.shape), 1)
    if len(shape) not in (4, 5) or 0 in shape or shape[3] > COMPONENTS:
        found = f"it has the shape {image.shape}, not one volume"
        raise InputError(path, found, "split it into volumes", code="not-an-image")
    i, j, k, c = shape[:4]
    return image, header, (i, j, k, c)


def _read_planes(image: Any, shape: tuple[int, int, int, int], path: Path, room: Room) -> npt.NDArray[np.generic]:
    """Voxels (C, I, J, K) in a room, in the order of the file, each value as nibabel scales it."""
    i, j, k, c = shape
    stored = image.dataobj
    spec = ((i, j, k * c), stored.dtype, stored.offset, stored.slope, stored.inter)
    # A compressed file that stays open is read on from where it is.
    flat = ArrayProxy(path, spec, keep_file_open=True)
    step = max(1, PIECE // (i * j))
    voxels: npt.NDArray[Any] | None = None
    for start in range(0, k * c, step):
        part = check_values(np.asanyarray(flat[:, :, start : start + step]), path)
        if voxels is None:
            voxels = room.make((k * c, j, i), part.dtype.newbyteorder("="))
        voxels[start : start + step] = part.transpose(2, 1, 0)
        room.settle()
    if voxels is None:
        raise ValueError("a volume has at least one plane")
    return voxels.reshape(c, k, j, i).transpose(0, 3, 2, 1)


def _drop_single(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without axes of one step behind its third, which hold nothing."""
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _open_nifti(path: Path, unpacked: bytes | None) -> tuple[Any, Any]:
    """Open by the size of the header and nothing else: other formats would be read without a place.

    Args:
        path: of the file.
        unpacked: its bytes, where it is compressed and they are known.

    Returns:
        The image, and its header as it is stored: the image's own one has been "repaired", 0 mm to 1 mm.
    """
    with ImageOpener(path) if unpacked is None else BytesIO(unpacked) as stream:
        size = stream.read(4)
        kind = nib.Nifti2Image if NIFTI_2 in (size, size[::-1]) else nib.Nifti1Image
        stream.seek(0)
        image = kind.from_filename(path) if unpacked is None else kind.from_bytes(unpacked)
        return image, kind.header_class.from_fileobj(stream, check=False)


def _unpack(path: Path, most: int) -> tuple[int, bytes | None]:
    """Bytes that the file holds, unpacked, and these where it is compressed and they are no more than `most`.

    A gzip is read to its end, since nibabel doesn't check its sum.
    """
    with path.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            return path.stat().st_size, None
    length, kept = 0, list[bytes]()
    try:
        with gzip.open(path) as stream:
            while block := stream.read(1 << 22):
                length += len(block)
                if length > most:
                    kept.clear()
                else:
                    kept.append(block)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(path, f"its compression is damaged ({error})", _RESTORE, code="file-damaged") from None
    return length, b"".join(kept) or None


def _check_size(image: Any, length: int, path: Path) -> None:
    """Check before anything is allocated that the file holds the voxels that its header declares."""
    offset, smallest = int(image.dataobj.offset), int(image.header.single_vox_offset)
    wanted = offset + math.prod(image.shape) * image.header.get_data_dtype().itemsize
    if offset < smallest:
        raise InputError(path, f"its voxels start at byte {offset}, within the header", _RESTORE, code="file-damaged")
    if length < wanted:
        raise InputError(path, f"it holds {length} bytes", _RESTORE, expected=f"{wanted}", code="file-damaged")


def _choose_grid(header: Any, shape: Shape, path: Path, prefer: Form | None) -> tuple[Grid, tuple[Note, ...]]:
    forms = [form for form in FORMS if header[f"{form}_code"] > 0]
    if not forms:
        found = "neither sform nor qform is set, so its place is unknown"
        raise GeometryError(path, found, "set one of them", code="place-missing")
    notes = []
    if prefer and len(forms) == 2:
        forms = [prefer]
        notes.append(Note("place-ambiguous", f"the {prefer} was chosen, whatever the other one says"))
    unit = header.get_xyzt_units()[0]
    factor = SCALES.get(unit, 1.0)
    grids = [_make_grid(header, form, factor, shape, path) for form in forms]
    distance = measure_displacement(grids[0], grids[-1])
    if distance > grids[0].limits.recorded:
        found = f"its qform and sform lie {distance:.3g} mm apart"
        remedy = "choose one with --prefer sform or qform, or delete the wrong one"
        raise GeometryError(path, found, remedy, code="place-ambiguous")
    if distance > grids[0].limits.accepted:
        notes.append(Note("place-ambiguous", f"qform and sform lie {distance:.3g} mm apart; the sform counts"))
    if factor != 1:
        notes.append(Note("header-scaled", f"units of {unit} were scaled to mm"))
    stored = np.abs(np.array(header["pixdim"][1:4], dtype=np.float64)) * factor
    if not np.allclose(stored, grids[0].spacing, rtol=PIXDIM, atol=0):
        said = f"pixdim gives the spacing {stored.round(4).tolist()} mm; that of the sform counts"
        notes.append(Note("header-contradicts", said))
    return grids[0], tuple(notes)


def _make_grid(header: Any, form: Form, factor: float, shape: Shape, path: Path) -> Grid:
    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1  # as the standard says of qfac
    try:
        affine = header.get_sform() if form == "sform" else header.get_qform()
        return Grid(shape, np.diag([factor, factor, factor, 1.0]) @ affine)
    except (HeaderDataError, ValueError) as error:
        found = f"its {form}: {getattr(error, 'found', error)}"
        raise GeometryError(path, found, "repair the header", code="place-ambiguous") from None
