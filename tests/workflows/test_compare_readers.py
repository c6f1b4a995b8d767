import sys
from pathlib import Path

import compare_readers
import pytest


def test_the_table_tells_what_readers_made_of_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SimpleITK drops the shear of a tilted gantry, in every release so far."""
    out = tmp_path / "table.md"
    readers = ["SimpleITK", "medunet", "dcm2niix"]
    command = ["compare", "--faults", "00", "13", "29", "--readers", *readers, "--out", str(out)]
    monkeypatch.setattr(sys, "argv", [*command, "--peers", sys.executable])
    assert compare_readers.main() == 0
    text = out.read_text()
    assert capsys.readouterr().out.strip() == text.strip()
    rows = {
        line.split("|")[1].split()[0]: [cell.strip() for cell in line.split("|")[2:-1]]
        for line in text.split("\n")
        if "|" in line
    }
    assert rows["00"] == ["exact", "ok", "ok"]
    assert rows["13"][1].startswith("S")
    assert rows["13"][1].endswith("mm")
    assert rows["13"][2] == "ok*"
    assert rows["29"][2] == "R"
    assert "dcm2niix: not installed" in text
