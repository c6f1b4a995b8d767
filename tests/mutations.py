"""Damaged files of every format that medunet reads, and a child process that tries to read them.

As a program it is that child: it answers jobs of `supervise.serve` under a limit on memory.
"""

import hashlib
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK
from dicoms import draw_balls, make_grid, write_mask, write_seg, write_series
from fault_phantom import Scan
from faults import FAULTS

from medunet.children.supervise import Record, limit_process, serve
from medunet.errors import MedunetError
from medunet.labels import LabelTable
from medunet.reading import read_mask, read_segmentation, read_volume

GIB = 1 << 30
CODED = {"explicit": "00", "implicit": "66", "deflated": "64", "rle": "57", "jpegls": "58", "j2k": "59", "ljpeg": "62"}
"""Name of a seed to the fault that codes it so."""
WORD = re.compile(rb"AE|AS|AT|CS|DA|DS|FD|IS|LO|LT|OB|OW|PN|SH|SQ|SS|ST|TM|UI|UL|UN|US|UT")


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


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file in one to three ways."""
    for _ in range(int(rng.integers(1, 4))):
        change = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        content = change(content, rng) if len(content) > 16 else content
    return content


def _put(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    end = len(content) if rng.random() < 0.5 else min(len(content), 1500)
    for at in rng.integers(0, end, int(rng.integers(1, 9))):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(1, len(content)))]


def _swap_words(content: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.choice([2, 4]))
    first, second = (int(n) * 2 for n in rng.integers(0, (len(content) - size) // 2, 2))
    one, other = content[first : first + size], content[second : second + size]
    return _put(_put(content, first, other), second, one)


def _inflate(content: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(content) // 2 - 4)) * 2
    huge = (b"\xff\xff", b"\xff\x7f", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 8)
    return _put(content, at, huge[int(rng.integers(len(huge)))])


def _lie_about_length(content: bytes, rng: np.random.Generator) -> bytes:
    """Another length after one of the two letters that DICOM's types have."""
    places = [match.end() for match in WORD.finditer(content[:20000])]
    if not places:
        return _inflate(content, rng)
    at = places[int(rng.integers(len(places)))]
    return _put(content, at, int(rng.integers(0, 1 << 16)).to_bytes(2, "little") * int(rng.choice([1, 3])))


def _change_digit(content: bytes, rng: np.random.Generator) -> bytes:
    places = [match.start() for match in re.finditer(rb"[0-9]", content[:20000])]
    if not places:
        return _flip(content, rng)
    new = b"0123456789-+eE.nN\\ "[int(rng.integers(19)) :][:1]
    return _put(content, places[int(rng.integers(len(places)))], new)


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    start, size, at = (int(n) for n in rng.integers(0, len(content), 3))
    return content[:at] + content[start : start + size % 400] + content[at:]


MUTATIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _flip,
    _cut,
    _swap_words,
    _inflate,
    _lie_about_length,
    _change_digit,
    _repeat,
)


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
