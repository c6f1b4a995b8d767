import sys
from pathlib import Path

import pytest
from reader_runs import Delivered, Outcome, Reader, count_kinds, name_outcome

from medunet.children.supervise import WorkerError
from medunet.testing.faults import FAULTS, Verdict, judge

RIGHT = Verdict(0.0, 0.0, 9, 9, 0, mixed=False)


@pytest.mark.parametrize(
    ("verdict", "warned", "cell"),
    [
        (RIGHT, False, "ok"),
        (RIGHT, True, "ok*"),
        (Verdict(0.12, 0.0, 9, 9, 0, mixed=False), True, "ok*"),
        (Verdict(0.12, 0.0, 9, 9, 0, mixed=False), False, "S 0.12 mm"),
        (Verdict(0.0, 24.0, 7, 9, 1, mixed=True), True, "Sw 24 units, 7/9, 1 unknown, mixed"),
        (Verdict(2000.0, 0.0, 9, 9, 0, mixed=False), False, "S > 1 m"),
    ],
)
def test_a_verdict_is_named(verdict: Verdict, warned: bool, cell: str) -> None:
    outcome = name_outcome(verdict, warned, 0.01)
    assert outcome.cell == cell
    assert outcome.kind == cell.split(" ", maxsplit=1)[0]


def test_a_difference_that_is_right_counts_for_nothing() -> None:
    assert name_outcome(Verdict(0.0, 15.0, 9, 9, 0, mixed=False), False, 20).cell == "ok"


def test_the_worst_is_wrong_without_a_word_and_far_off() -> None:
    outcomes = [Outcome("S", 3.0), Outcome("ok"), Outcome("S", 7.0), Outcome("C"), Outcome("Sw", 99.0), Outcome("R")]
    ranked = [(outcome.kind, outcome.millimetres) for outcome in sorted(outcomes, key=Outcome.rank)]
    assert ranked == [("ok", 0), ("R", 0), ("C", 0), ("Sw", 99), ("S", 3), ("S", 7)]


def test_kinds_are_counted() -> None:
    table = count_kinds({"one": {"a": Outcome("S"), "b": Outcome("S"), "c": Outcome("ok")}, "two": {"a": Outcome("C")}})
    assert table.splitlines()[2:] == ["| one | 2 | 0 | 0 | 0 | 1 | 0 |", "| two | 0 | 0 | 0 | 0 | 0 | 1 |"]
    refused = count_kinds({"one": {"a": Outcome("R"), "b": Outcome("R")}, "two": {"b": Outcome("ok")}}, benign=["b"])
    assert [line.split(" | ")[-1] for line in refused.splitlines()[2:]] == ["1 |", "0 |"]


def test_a_reader_delivers_refuses_and_goes_on(tmp_path: Path) -> None:
    reader = Reader("medunet", Path(sys.executable), tmp_path / "out.npz")
    try:
        reader.start()
        assert reader.name.startswith("medunet 0.")
        faults = {fault.code: fault for fault in FAULTS}
        for code, warned in (("00", False), ("29", None), ("13", True)):
            scan = faults[code].make("sagittal")
            scan.write(tmp_path / code)
            came = reader.read(tmp_path / code, 60)
            if warned is None:
                assert came == Outcome("R", cell="R")
            else:
                assert isinstance(came, Delivered)
                assert came.warned == warned
                assert judge(came.volumes, scan).is_right()
    finally:
        reader.stop()


def test_a_reader_that_is_not_installed_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkerError):
        Reader("medunet", tmp_path / "no" / "python", tmp_path / "out.npz").start()
