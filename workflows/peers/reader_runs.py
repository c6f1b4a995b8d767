"""Asks readers of DICOM, each in a child process of its own, what they make of a folder, and names what came."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medunet.children.supervise import Worker, WorkerError
from medunet.geometry import ACCEPTED_MM, RECORDED_MM
from medunet.testing.faults import Verdict, Volumes

HERE = Path(__file__).parent
PEERS = HERE.parents[1] / ".venv-readers" / "bin" / "python"
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one folder.

    Attributes:
        kind: one of `KINDS`.
        millimetres: how far off.
        cell: what the table tells.
    """

    kind: str
    millimetres: float = 0.0
    cell: str = ""

    def rank(self) -> tuple[int, float]:
        """The higher the worse."""
        return KINDS.index(self.kind), self.millimetres


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a reader made of a folder.

    Attributes:
        volumes: arrays, and affines to RAS+ mm.
        warned: whether something was said of it.
    """

    volumes: Volumes
    warned: bool


class Reader:
    """A reader in a child process, which a folder may crash.

    Args:
        name: one of `reader_peers.READERS`.
        python: of the environment that holds it.
        scratch: file that takes arrays on their way.
    """

    def __init__(self, name: str, python: Path, scratch: Path) -> None:
        command = [str(python), str(HERE / "reader_peers.py"), name]
        self._worker = Worker(command, {"PYTHONPATH": str(HERE.parents[1])})
        self._scratch = scratch
        self.name = name

    def start(self) -> None:
        """Start the child and add the version to the name.

        Raises:
            WorkerError: the reader isn't installed.
        """
        self.name = f"{self.name} {self._worker.start()['version']}"

    def read(self, folder: Path, seconds: float) -> Delivered | Outcome:
        """Read a folder of one series.

        Args:
            folder: of the files.
            seconds: that it may take.

        Returns:
            What was delivered, or that it was refused or crashed.
        """
        try:
            reply, _ = self._worker.ask({"folder": str(folder), "out": str(self._scratch)}, seconds=seconds)
        except WorkerError as error:
            return Outcome("C", cell=f"C {error}")
        if reply["came"] == "refused":
            return Outcome("R", cell="R")
        if reply["came"] == "crash":
            return Outcome("C", cell=f"C {reply['words'].split(':')[0].removesuffix('Error')}")
        with np.load(self._scratch, allow_pickle=False) as file:
            volumes = [(file[f"arr_{n}"], file[f"arr_{n + 1}"]) for n in range(0, len(file.files), 2)]
        return Delivered(volumes, bool(reply["warned"]))

    def stop(self) -> None:
        """End the child."""
        self._worker.stop()


def name_outcome(verdict: Verdict, warned: bool, units: float) -> Outcome:
    """Name what a verdict comes to.

    Args:
        verdict: on what a reader delivered.
        warned: whether it said something.
        units: largest difference of a value that is right.
    """
    if verdict.is_right(ACCEPTED_MM, units) or (warned and verdict.is_right(RECORDED_MM, units)):
        kind = "ok*" if warned else "ok"
        return Outcome(kind, cell=kind)
    kind = "Sw" if warned else "S"
    return Outcome(kind, verdict.millimetres, " ".join([kind, _describe(verdict, units)]))


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


def count_kinds(columns: Mapping[str, Mapping[str, Outcome]], benign: Collection[str] = ()) -> str:
    """Outcomes of each reader by kind, as a Markdown table.

    Args:
        columns: reader to row to outcome.
        benign: rows that make a volume without a guess; where there are any, a column counts how many are refused.
    """
    titles = [*TITLES.values(), *(["refused though benign"] if benign else [])]
    lines = [f"| reader | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for name, column in columns.items():
        kinds = Counter(outcome.kind for outcome in column.values())
        counts = [kinds[kind] for kind in TITLES]
        counts += [sum(column[row].kind == "R" for row in benign if row in column)] if benign else []
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)
