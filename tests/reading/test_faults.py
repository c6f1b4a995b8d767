"""Every fault and oddity of `medunet.testing.faults` through `read_volume`: never wrong without a word."""

import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from medunet.errors import MedunetError
from medunet.geometry import ACCEPTED_MM, RECORDED_MM
from medunet.reading import read_volume
from medunet.testing.faults import EXACT, FAULTS, RECORDED, REFUSED, Fault, draw_pairs, judge

CASES = [(fault, orientation) for fault in FAULTS for orientation in fault.orientations]
PAIRS = draw_pairs(80)


def name_case(case: tuple[Fault, str]) -> str:
    return f"{case[0].code}-{case[0].name}-{case[1]}".replace(" ", "_")


@cache
def read(fault: Fault, orientation: str) -> tuple[str, str]:
    """What came of it (wrong, exact, recorded, refused) and the words that say so."""
    scan = fault.make(orientation)
    with TemporaryDirectory() as folder:
        scan.write(Path(folder) / "CT")
        try:
            volume = read_volume(Path(folder) / "CT")
        except MedunetError as error:
            return REFUSED, str(error)
    notes = "; ".join(map(str, volume.source.notes))
    verdict = judge([(volume.voxels[0], volume.grid.affine)], scan)
    if verdict.is_right(ACCEPTED_MM, 0.01):
        return RECORDED if re.search(fault.says, notes) and notes else EXACT, notes
    if verdict.is_right(RECORDED_MM, max(fault.tolerance, 0.01)) and notes:
        return RECORDED, notes
    return "wrong", f"{verdict} {notes}"


@pytest.mark.parametrize("case", CASES, ids=name_case)
def test_a_fault_is_never_read_wrong_without_a_word(case: tuple[Fault, str]) -> None:
    came, words = read(*case)
    assert came != "wrong", words


@pytest.mark.parametrize("case", CASES, ids=name_case)
def test_a_fault_is_answered_by_the_policy(case: tuple[Fault, str]) -> None:
    fault = case[0]
    came, words = read(*case)
    assert came == fault.expected or (came, fault.expected) == (RECORDED, EXACT), words
    if fault.expected != EXACT:
        assert re.search(fault.says, words), words


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.code)
def test_two_faults_at_once_are_never_read_wrong_without_a_word(pair: Fault) -> None:
    orientation = ("axial", "sagittal", "oblique")[len(pair.name) % 3]
    came, words = read(pair, orientation)
    assert came != "wrong", f"{pair.name}: {words}"


@pytest.mark.slow
def test_many_pairs_are_never_read_wrong_without_a_word() -> None:
    wrong, unmade = {}, []
    for pair in draw_pairs(2000, seed=1):
        try:
            pair.make("oblique")
        except (AttributeError, KeyError, ValueError):
            # What one fault has added has no pixels, or no place, that the other could change.
            unmade.append(pair.name)
            continue
        came, words = read(pair, "oblique")
        if came == "wrong":
            wrong[pair.name] = words
    assert not wrong
    assert len(unmade) <= 20
