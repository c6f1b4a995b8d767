"""Damaged files of every format that medunet reads, and a child process that tries to read them.

As a program it is that child: it answers jobs of `supervise.serve` under a limit on memory.
"""

import hashlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK
from dicoms import draw_balls, make_grid, write_mask, write_seg, write_series

from medunet.children.supervise import Record, limit_process, serve
from medunet.errors import MedunetError
from medunet.labels import LabelTable
from medunet.reading import read_mask, read_segmentation, read_volume
from medunet.testing.faults import FAULTS, Scan

GIB = 1 << 30
CODED = {"explicit": "00", "implicit": "66", "deflated": "64", "rle": "57", "jpegls": "58", "j2k": "59", "ljpeg": "62"}
"""Name of a seed to the fault that codes it so."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A sound file.

    Attributes:
        name: of its kind.
        path: which mutations overwrite.
        content: its bytes.
        reads: what is given to the reader: the file or its folder.
        way: volume, contours or segments.
    """

    name: str
    path: Path
    content: bytes
    reads: Path
    way: str = "volume"


def make_seeds(folder: Path) -> list[Seed]:
    """One sound file of every kind; of a DICOM series one slice is damaged and the others stay."""
    faults = {fault.code: fault for fault in FAULTS}
    seeds = []
    for name, code in CODED.items():
        scan = faults[code].make("oblique")
        Scan(scan.slices[:4], scan.late).write(folder / name)
        path = folder / name / "0002.dcm"
        seeds.append(Seed(name, path, path.read_bytes(), folder / name))
    faults["76"].make("oblique").write(folder / "enhanced")
    path = folder / "enhanced" / "enhanced.dcm"
    seeds.append(Seed("enhanced", path, path.read_bytes(), path))
    return seeds + _make_labels(folder) + _make_files(folder)


def _make_labels(folder: Path) -> list[Seed]:
    grid = make_grid()
    voxels = write_series(folder / "CT", grid)
    mask = draw_balls(grid)
    write_mask(folder / "contours.dcm", mask.voxels, grid, voxels)
    write_seg(folder / "segments.dcm", mask, folder / "CT")
    paths = [(folder / "contours.dcm", "contours"), (folder / "segments.dcm", "segments")]
    return [Seed(way, path, path.read_bytes(), path, way) for path, way in paths]


def _make_files(folder: Path) -> list[Seed]:
    voxels = np.random.default_rng(0).integers(-500, 900, (9, 8, 7)).astype(np.int16)
    image = nib.Nifti1Image(voxels, np.diag([1.0, 2, 3, 1]))
    image.header.set_xyzt_units("mm")
    itk = SimpleITK.GetImageFromArray(voxels)
    seeds = []
    for name in ("a.nii", "a.nii.gz", "a.nrrd", "b.nrrd", "a.mha", "b.mha"):
        path = folder / name
        if ".nii" in name:
            nib.save(image, path)
        else:
            SimpleITK.WriteImage(itk, str(path), useCompression=name.startswith("b"))
        seeds.append(Seed(name, path, path.read_bytes(), path))
    return seeds


def answer(job: Record) -> str:
    """Read one file; "read" and a sum over what was read, "refused", or what else happened."""
    way, place = job["way"], job["place"]
    grid, table = make_grid(), LabelTable.from_names(["lesion"])
    try:
        if way == "contours":
            voxels = read_mask(place, grid, table).voxels
        elif way == "segments":
            voxels = read_segmentation(place, grid, table).voxels
        else:
            volume = read_volume(place)
            voxels, grid = volume.voxels, volume.grid
        content = hashlib.sha256(voxels.tobytes() + grid.affine.tobytes())
    except MedunetError:
        return "refused"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "medunet" in frame.filename]
        return f"{type(error).__name__}: {str(error)[:80]!r} after {ours[-1] if ours else 'nothing of ours'}"
    return f"read {content.hexdigest()}"


def main() -> None:
    """Read what is asked for, with a gibibyte beyond what the libraries took."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable()
    limit_process(GIB)
    serve(lambda job, _: ({"came": answer(job)}, b""), {})


if __name__ == "__main__":
    sys.exit(main())
