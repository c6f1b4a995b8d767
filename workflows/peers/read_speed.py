"""Times SimpleITK and medunet on one made-up CT series, from disk to a torch tensor, and prints a table.

    python workflows/peers/read_speed.py [--slices 300] [--size 512] [--runs 7] [--out FILE]

Needs Linux. The series is written to a temporary folder, uncompressed and in JPEG-LS, and read alternately, each time
by a fresh process. Seconds and memory count from after the imports; the memory is the highest of the process and, added
to it, of its child processes. medunet makes all of its checks; SimpleITK makes none that could fail.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless
from scipy.ndimage import gaussian_filter

from medunet.geometry import Grid
from medunet.testing.phantoms import Identity, write_ct

READERS = ("SimpleITK", "medunet")


def main() -> int:
    """Parse the command line; write, read and print, or read once as a child."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512, help="columns and rows")
    parser.add_argument("--runs", type=int, default=7, help="of each reader on each series")
    parser.add_argument("--out", type=Path, help="write the table there too")
    parser.add_argument("--read", nargs=2, metavar=("READER", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read_once(*arguments.read)))
        return 0
    with TemporaryDirectory() as folder:
        kinds = make_series(Path(folder), arguments.size, arguments.slices)
        rows = [row for kind, place in kinds.items() for row in _compare(kind, place, arguments.runs)]
    text = (
        "\n".join(["| series | reader | seconds | CPU seconds | MB above the import |", "|---" * 5 + "|", *rows]) + "\n"
    )
    print(text)
    if arguments.out:
        arguments.out.write_text(text)
    return 0


def make_series(folder: Path, size: int, slices: int) -> dict[str, Path]:
    """Write a CT of smooth blobs and noise, in which JPEG-LS finds as much as in a real one.

    Args:
        folder: takes a folder for each coding.
        size: columns and rows.
        slices: their number.

    Returns:
        Folder of each coding.
    """
    rng = np.random.default_rng(0)
    blobs = gaussian_filter(rng.normal(0, 4000, (size, size)), 4)
    voxels = np.empty((size, size, slices), np.int16)
    for k in range(slices):
        voxels[:, :, k] = np.clip(np.roll(blobs, 3 * k, 0) + rng.normal(0, 12, blobs.shape), -1000, 2000)
    grid = Grid(voxels.shape, np.diag([-0.8, -0.8, 1.25, 1.0]))
    places = {"uncompressed": folder / "plain", "JPEG-LS": folder / "jpegls"}
    write_ct(places["uncompressed"], voxels, grid, Identity.from_content("SPEED^Phantom", "PH-S", "O", voxels, grid))
    places["JPEG-LS"].mkdir()
    for path in places["uncompressed"].iterdir():
        dataset = dcmread(path)
        dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls", generate_instance_uid=False)
        dataset.save_as(places["JPEG-LS"] / path.name)
    return places


def _compare(kind: str, place: Path, runs: int) -> list[str]:
    """Rows of the table for one series, read by one reader after the other, and again."""
    found: dict[str, list[list[float]]] = {reader: [] for reader in READERS}
    for _ in range(runs):
        for reader in READERS:
            command = [sys.executable, __file__, "--read", reader, str(place)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
            found[reader].append(json.loads(done.stdout))
    medians = {reader: [median(column) for column in zip(*rows, strict=True)] for reader, rows in found.items()}
    return [
        f"| {kind} | {reader} | {seconds:.2f} | {cpu:.2f} | {megabytes:.0f} |"
        for reader, (seconds, cpu, megabytes) in medians.items()
    ]


def read_once(reader: str, folder: str) -> list[float]:
    """Read a series to a tensor.

    Args:
        reader: one of `READERS`.
        folder: of the series.

    Returns:
        Seconds by the clock on the wall and of the processor, and MB of memory above what the imports took.
    """
    import torch

    read = _make_simpleitk() if reader == "SimpleITK" else _make_medunet()
    own = Path("/proc/self")
    (own / "clear_refs").write_text("5")  # the peak counts from here; that of the imports would hide it
    before, started, cpu = _read_status(own)[0], time.perf_counter(), time.process_time()
    tensor = torch.from_numpy(read(folder))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if tensor.dtype != torch.int16:
        raise ValueError(f"{reader} made {tensor.dtype} of int16")
    children = _list_children()
    cpu += sum(_read_status(child)[1] for child in children)
    megabytes = _read_status(own)[0] - before + sum(_read_status(child)[0] for child in children)
    return [seconds, cpu, megabytes]


def _make_simpleitk() -> Callable[[str], np.ndarray]:
    import SimpleITK

    def read(folder: str) -> np.ndarray:
        files = SimpleITK.ImageSeriesReader()
        files.SetFileNames(files.GetGDCMSeriesFileNames(folder))
        voxels: np.ndarray = SimpleITK.GetArrayFromImage(files.Execute())
        return voxels

    return read


def _make_medunet() -> Callable[[str], np.ndarray]:
    from medunet.reading import read_volume

    return lambda folder: read_volume(folder).voxels


def _list_children() -> list[Path]:
    """Running child processes."""
    listed = Path("/proc/self/task").glob("*/children")
    return [Path("/proc") / number for file in listed for number in file.read_text().split()]


def _read_status(process: Path) -> tuple[float, float]:
    """MB at most and seconds of the processor of a process."""
    lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return int(lines["VmHWM"].split()[0]) / 1024, ticks / 100


if __name__ == "__main__":
    sys.exit(main())
