import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from truth import assemble

from medunet.errors import MedunetError
from medunet.geometry import RECORDED_MM
from medunet.reading import read_volume
from medunet.testing import faults
from medunet.testing.faults import EXACT, FAULTS, ORIENTATIONS, RECORDED, REFUSED, Fault, judge, make_scan

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "readers.md"
READABLE = [(fault, name) for fault in FAULTS if fault.expected != REFUSED for name in fault.orientations]


def test_codes_and_names_are_the_faults_own() -> None:
    assert len({fault.code for fault in FAULTS}) == len(FAULTS)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    for fault in FAULTS:
        assert fault.expected in (EXACT, RECORDED, REFUSED)
        assert fault.orientations
        assert set(fault.orientations) <= set(ORIENTATIONS)
        assert fault.says or fault.expected != RECORDED, "what is recorded says something"
        re.compile(fault.says)


@pytest.mark.parametrize("case", READABLE, ids=lambda case: f"{case[0].code}-{case[1]}")
def test_what_should_be_read_can_be_read_right(case: tuple[Fault, str]) -> None:
    """One affine for all slices keeps within what is recorded, so the policy asks for nothing impossible."""
    fault, orientation = case
    scan = fault.make(orientation)
    assert judge([assemble(scan)], scan).is_right(RECORDED_MM, max(fault.tolerance, 0.01))


@pytest.mark.parametrize("fault", FAULTS[1:], ids=lambda fault: fault.code)
def test_a_fault_changes_what_is_written_always_alike(fault: Fault, tmp_path: Path) -> None:
    orientation = fault.orientations[0]
    clean = list_files(make_scan(orientation).write, tmp_path / "clean")
    first, second = (list_files(fault.make(orientation).write, tmp_path / name) for name in ("first", "second"))
    assert first != clean
    assert first == second


def list_files(write: Callable[[Path], None], folder: Path) -> dict[str, bytes]:
    write(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_example_of_the_package_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
        volume = read_volume(folder)
        return volume.voxels[0], volume.grid.affine

    (example,) = re.findall(r"\n\n((?:    .*\n)+)", faults.__doc__ or "")
    names = {"FAULTS": FAULTS[:8], "judge": judge, "folder": tmp_path, "read": read, "ReadError": MedunetError}
    exec("if True:\n" + example, names)  # noqa: S102 - our own documentation
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [fault.code for fault in FAULTS[:8]]
    assert "00 clean exact right" in lines
    assert "01 missing middle refused" in lines
    assert not any("WRONG" in line for line in lines)


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(example, {})  # noqa: S102 - our own documentation
    assert capsys.readouterr().out.splitlines() == [
        "00 clean right",
        "01 missing middle refused, should be refused",
        "02 missing end right",
        "B17 missing end of the slices that NumberOfSlices counts right",
        "03 copy of a slice, new UID right",
    ]
