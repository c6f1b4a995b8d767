"""NRRD and MHA by SimpleITK, in a child process: array and grid, or a refusal."""

import math
import os
from pathlib import Path

import numpy as np

from medunet.children.decoding import read_by_itk
from medunet.errors import GeometryError, InputError
from medunet.geometry import Grid, flip_lps_ras
from medunet.reading.files.values import Read, check_values

HEADER_BYTES = 1 << 20
"""A text header that is longer is refused."""
SPACES = {"right-anterior-superior", "left-anterior-superior", "left-posterior-superior", "ras", "las", "lps"}
"""Spaces of NRRD that are tied to the patient; ITK takes any other one, and none, for the last of these."""
LARGEST_TYPE, MOST_COMPRESSION = 8, 1032
"""Bytes of a voxel at most, and of what zlib makes of a byte at most (zlib.net/zlib_tech.html)."""


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
        found = "its name can't be given to ITK in this locale"
        raise InputError(path, found, "run in a UTF-8 locale, or rename it", code="encoding-unsupported")
    fields = _read_fields(path)
    _check_data_file(path, fields)
    _check_place(path, fields)
    place, stored = read_by_itk(path, _count_voxels(path, fields) * LARGEST_TYPE)
    if place["axes"] != 3 or place["components"] != 1:
        found = f"it has {place['axes']} axes and {place['components']} channels"
        raise InputError(path, f"{found}, not one volume", "give a grey volume", code="not-an-image")
    voxels = check_values(stored, path).transpose(2, 1, 0)
    affine = np.eye(4)
    affine[:3, :3] = np.array(place["direction"]).reshape(3, 3) * np.array(place["spacing"])
    affine[:3, 3] = place["origin"]
    try:
        return voxels[None], Grid(voxels.shape, flip_lps_ras(affine)), ()
    except GeometryError as error:
        raise GeometryError(path, f"its affine: {error.found}", error.remedy, code="place-ambiguous") from None


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
        found = f"it declares the size '{text}' and holds at most {held} voxels"
        raise InputError(path, found, "restore the file", code="file-damaged")
    return count


def _check_data_file(path: Path, fields: dict[str, str]) -> None:
    """A header may name its data file; one elsewhere would be read as voxels without a word."""
    name = fields.get("elementdatafile", fields.get("datafile", "LOCAL"))
    if name.upper() == "LOCAL":
        return
    if "/" in name or "\\" in name or "%" in name or name.upper().startswith("LIST") or not name:
        found = f"it takes its voxels from {name or 'nowhere'}"
        raise InputError(path, found, "put one data file beside the header", code="voxels-elsewhere")
    if (path.parent / name).is_symlink():
        raise InputError(
            path, f"it takes its voxels through the link {name}", "put the data file beside it", code="voxels-elsewhere"
        )


def _check_place(path: Path, fields: dict[str, str]) -> None:
    """ITK fills in what a header leaves out: 1 mm, no turn, LPS."""
    if path.suffix.lower() in (".mha", ".mhd"):
        missing = [] if {"elementspacing", "elementsize"} & set(fields) else ["ElementSpacing"]
    else:
        missing = [name for name in ("space", "space directions") if name.replace(" ", "") not in fields]
    if missing:
        found = f"its header has no {missing[0]}, so its place is unknown"
        raise GeometryError(path, found, "add it to the header", code="place-missing")
    space = fields.get("space", "lps").lower()
    if space not in SPACES:
        raise GeometryError(
            path, f"its space is {space}, not one of the patient", "write it in LPS or RAS", code="place-ambiguous"
        )
