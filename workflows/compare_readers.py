"""Compares what readers of DICOM make of every fault in `faults.py`, and prints the table.

python workflows/compare_readers.py [--out FILE] [--faults 13 76 …] [--readers medunet SimpleITK …]

Peers run in an environment of their own (`make readers`); one that isn't installed there is left out and named.
Every output slice is found again by content and its place compared with what its own header says. A cell tells the
worst of three orientations: `ok`; `ok*`, right and something was said of it; `R`, refused; `C`, crashed or hung;
`S`, wrong without a word; `Sw`, wrong with a warning in the log. Of dcm2niix the plain file is judged, not those that
it adds resampled.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from fault_phantom import Scan
from fault_verdicts import Verdict, judge
from faults import FAULTS, Fault
from reader_peers import READERS

from medunet.children.supervise import Worker, WorkerError
from medunet.geometry import ACCEPTED_MM, RECORDED_MM

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-readers" / "bin" / "python"
SECONDS = 60
"""What one folder of nine small slices may take."""
KINDS = ("ok", "ok*", "R", "C", "Sw", "S")
"""Kinds of outcomes, the worst last."""
TITLES = {
    "S": "silently wrong",
    "Sw": "wrong with a warning",
    "R": "refused",
    "ok*": "recorded",
    "ok": "exact",
    "C": "crash",
}
Outcome = tuple[str, float, str]
"""A kind, how far off in mm, and the cell."""


def main() -> int:
    """Parse the command line, run the readers one after the other, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the table there too")
    parser.add_argument("--faults", nargs="*", help="codes; all if left out")
    parser.add_argument("--readers", nargs="*", default=list(READERS), choices=list(READERS))
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python of the environment that holds the peers")
    arguments = parser.parse_args()
    faults = [fault for fault in FAULTS if not arguments.faults or fault.code in arguments.faults]
    with TemporaryDirectory() as folder:
        scans = _write_scans(faults, Path(folder))
        columns: dict[str, dict[str, Outcome]] = {}
        missing = []
        for name in arguments.readers:
            python = Path(sys.executable) if name == "medunet" else arguments.peers
            print(f"{name} …", file=sys.stderr)
            try:
                version, columns[name] = _run_reader(name, python, faults, scans, Path(folder))
                columns[f"{name} {version}"] = columns.pop(name)
            except (WorkerError, OSError) as error:
                missing.append(f"{name}: not installed ({error})")
    text = "\n".join([_make_table(faults, columns), "", _count(columns), *missing]) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text)
    return 0


def _write_scans(faults: Sequence[Fault], folder: Path) -> dict[Path, Scan]:
    scans = {}
    for fault in faults:
        for orientation in fault.orientations:
            scan = fault.make(orientation)
            place = _place(folder, fault, orientation)
            scan.write(place)
            scans[place] = scan
    return scans


def _place(folder: Path, fault: Fault, orientation: str) -> Path:
    return folder / f"{fault.code}-{orientation}"


def _run_reader(
    name: str, python: Path, faults: Sequence[Fault], scans: dict[Path, Scan], folder: Path
) -> tuple[str, dict[str, Outcome]]:
    worker = Worker([str(python), str(HERE / "reader_peers.py"), name], {"PYTHONPATH": str(HERE.parent)})
    try:
        version = worker.start()["version"]
        column = {}
        for fault in faults:
            places = [_place(folder, fault, orientation) for orientation in fault.orientations]
            outcomes = [_try(worker, place, scans[place], fault, folder / "out.npz") for place in places]
            column[fault.code] = max(outcomes, key=lambda outcome: (KINDS.index(outcome[0]), outcome[1]))
        return version, column
    finally:
        worker.stop()


def _try(worker: Worker, place: Path, scan: Scan, fault: Fault, out: Path) -> Outcome:
    try:
        reply, _ = worker.ask({"folder": str(place), "out": str(out)}, seconds=SECONDS)
    except WorkerError as error:
        return "C", 0.0, f"C {error}"
    if reply["came"] == "refused":
        return "R", 0.0, "R"
    if reply["came"] == "crash":
        return "C", 0.0, f"C {reply['words'].split(':')[0].removesuffix('Error')}"
    with np.load(out, allow_pickle=False) as file:
        volumes = [(file[f"arr_{n}"], file[f"arr_{n + 1}"]) for n in range(0, len(file.files), 2)]
    verdict = judge(volumes, scan)
    units = max(fault.tolerance, 0.01)
    if verdict.is_right(ACCEPTED_MM, units) or (reply["warned"] and verdict.is_right(RECORDED_MM, units)):
        kind = "ok*" if reply["warned"] else "ok"
        return kind, 0.0, kind
    kind = "Sw" if reply["warned"] else "S"
    return kind, verdict.millimetres, " ".join([kind, _describe(verdict, units)])


def _describe(verdict: Verdict, units: float) -> str:
    parts = []
    if verdict.millimetres > ACCEPTED_MM:
        parts.append(f"{verdict.millimetres:.2f} mm" if verdict.millimetres < 1000 else "> 1 m")
    if verdict.units > units:
        parts.append(f"{verdict.units:.0f} units")
    if verdict.delivered < verdict.wanted:
        parts.append(f"{verdict.delivered}/{verdict.wanted}")
    if verdict.invented:
        parts.append(f"{verdict.invented} unknown")
    if verdict.mixed:
        parts.append("mixed")
    return ", ".join(parts)


def _make_table(faults: Sequence[Fault], columns: dict[str, dict[str, Outcome]]) -> str:
    lines = [f"| fault | should be | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for fault in faults:
        cells = [column[fault.code][2] for column in columns.values()]
        lines.append(f"| {fault.code} {fault.name} | {fault.expected} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _count(columns: dict[str, dict[str, Outcome]]) -> str:
    lines = [f"| reader | {' | '.join(TITLES.values())} |", "|---" * (len(TITLES) + 1) + "|"]
    for name, column in columns.items():
        counts = Counter(kind for kind, *_ in column.values())
        lines.append(f"| {name} | {' | '.join(str(counts[kind]) for kind in TITLES)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
