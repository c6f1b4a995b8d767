"""Compares what readers of DICOM make of every fault of `medunet.testing.faults`, or of real series of your own.

    python workflows/peers/compare_readers.py [--out FILE] [--faults 13 76 …] [--readers medunet SimpleITK …]
    python workflows/peers/compare_readers.py FOLDER [--out FILE] [--readers medunet SimpleITK …]

Peers run in an environment of their own (`make readers`); one that isn't installed there is left out and named.
Of a fault every output slice is found again by content and its place compared with what its own header says; the cell
tells the worst of three orientations. Of each series below FOLDER, whose files are given to a reader alone, the output
is compared at the places where pydicom's values of the headers put each pixel; PET is read in its own unit.

A cell tells: `ok`; `ok*`, right and something was said of it; `R`, refused; `C`, crashed or hung; `S`, wrong without a
word; `Sw`, wrong with a warning in the log; n/m, only n of m slices delivered; unknown, slices that no header knows.
Of dcm2niix the plain file is judged, not those that it adds resampled.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from reader_peers import READERS
from reader_runs import PEERS, Delivered, Outcome, Reader, count_kinds, name_outcome
from real_series import RealSeries, Truth, find_real_series, judge_real, read_truth

from medunet.children.supervise import WorkerError
from medunet.testing.faults import FAULTS, Fault, judge

IN_SUV = ("C7", "C8")
"""Faults of what makes a PET a SUV, which the other readers don't compute: each reads a PET in its own unit here."""
SECONDS = 60
"""What one folder of nine small slices may take."""
SECONDS_OF_FILE = 1.0
"""What each file of a real series may take, beside."""


def main() -> int:
    """Parse the command line, run the readers, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="of real series; the faults if left out")
    parser.add_argument("--out", type=Path, help="write the table there too")
    parser.add_argument("--faults", nargs="*", help="codes; all if left out")
    parser.add_argument("--readers", nargs="*", default=list(READERS), choices=list(READERS))
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python of the environment that holds the peers")
    arguments = parser.parse_args()
    if arguments.folder and not arguments.folder.is_dir():
        parser.error(f"{arguments.folder} is no folder")
    with TemporaryDirectory() as folder, _start(arguments, Path(folder)) as (readers, missing):
        if arguments.folder:
            lines = compare_real(readers, arguments.folder, Path(folder))
        else:
            compared = [fault for fault in FAULTS if fault.code not in IN_SUV]
            chosen = [fault for fault in compared if not arguments.faults or fault.code in arguments.faults]
            lines = compare_faults(readers, chosen, Path(folder))
    text = "\n".join([*lines, *missing]) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    return 0


@contextmanager
def _start(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[list[Reader], list[str]]]:
    """The readers that are installed, and a line for each that isn't."""
    readers, missing = [], []
    with ExitStack() as stack:
        for name in arguments.readers:
            reader = Reader(name, Path(sys.executable) if name == "medunet" else arguments.peers, folder / "out.npz")
            stack.callback(reader.stop)
            try:
                reader.start()
                readers.append(reader)
            except (WorkerError, OSError) as error:
                missing.append(f"{name}: not installed ({error})")
        yield readers, missing


def compare_faults(readers: Sequence[Reader], faults: Sequence[Fault], folder: Path) -> list[str]:
    """Tables of what readers make of faults.

    Args:
        readers: started ones.
        faults: to be made.
        folder: takes the scans.
    """
    columns: dict[str, dict[str, Outcome]] = {reader.name: {} for reader in readers}
    lines = [f"| fault | should be | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for fault in faults:
        print(f"{fault.code} {fault.name} …", file=sys.stderr)
        scans = {orientation: fault.make(orientation) for orientation in fault.orientations}
        for orientation, scan in scans.items():
            scan.write(folder / f"{fault.code}-{orientation}")
        for reader in readers:
            outcomes = []
            for orientation, scan in scans.items():
                came = reader.read(folder / f"{fault.code}-{orientation}", SECONDS)
                if isinstance(came, Delivered):
                    came = name_outcome(judge(came.volumes, scan), came.warned, max(fault.tolerance, 0.01))
                outcomes.append(came)
            columns[reader.name][fault.code] = max(outcomes, key=Outcome.rank)
        cells = [column[fault.code].cell for column in columns.values()]
        lines.append(f"| {fault.code} {fault.name} | {fault.expected} | {' | '.join(cells)} |")
    benign = [fault.code for fault in faults if fault.expected != "refused"]
    return [*lines, "", count_kinds(columns, benign)]


def compare_real(readers: Sequence[Reader], source: Path, folder: Path) -> list[str]:
    """Tables of what readers make of the series below a folder.

    Args:
        readers: started ones.
        source: which is only read.
        folder: takes links to the files of one series at a time.
    """
    found, others = find_real_series(source)
    columns: dict[str, dict[str, Outcome]] = {reader.name: {} for reader in readers}
    lines = [f"| series | slices | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    left_out = []
    for number, series in enumerate(found):
        print(f"{number + 1}/{len(found)} {series.name} …", file=sys.stderr)
        try:
            truth = read_truth(series)
        # Whatever pydicom raises of a header or a stream, there is nothing to compare with.
        except Exception as error:
            left_out.append(f"{series.name}: left out, {error}")
            continue
        place = _link(series, folder / f"series{number}")
        for reader in readers:
            columns[reader.name][str(number)] = _try(reader, place, truth)
        cells = [column[str(number)].cell for column in columns.values()]
        lines.append(f"| {series.name} | {len(truth.slices)} | {' | '.join(cells)} |")
    note = f"files that are no images in DICOM: {others}"
    return [*lines, "", count_kinds(columns), "", *left_out, note]


def _link(series: RealSeries, place: Path) -> Path:
    """A folder of the files of one series and no others, under names that differ."""
    place.mkdir()
    for number, path in enumerate(series.files):
        (place / f"{number:05d}-{path.name}").symlink_to(path.absolute())
    return place


def _try(reader: Reader, place: Path, truth: Truth) -> Outcome:
    came = reader.read(place, SECONDS + SECONDS_OF_FILE * len(truth.slices))
    if isinstance(came, Outcome):
        return came
    verdict = judge_real(came.volumes, truth)
    part = replace(verdict, wanted=verdict.delivered)
    outcome = name_outcome(part, came.warned, truth.tolerance)
    if verdict.delivered == verdict.wanted or outcome.kind != "ok*":
        return name_outcome(verdict, came.warned, truth.tolerance)
    # Slices that a reader leaves out with a word, such as a scout, are no silent loss.
    return replace(outcome, cell=f"ok* {verdict.delivered}/{verdict.wanted}")


if __name__ == "__main__":
    sys.exit(main())
