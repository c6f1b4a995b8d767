import sys
from pathlib import Path

import compare_readers
import pytest

from medunet.testing.faults import FAULTS
from medunet.testing.faults.edits import set_tags


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


def test_real_series_are_compared_at_the_places_of_their_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Series as archives hold them: sound, tilted, with a scout, without positions, beside other files."""
    data, out = tmp_path / "data", tmp_path / "table.md"
    by_code = {fault.code: fault for fault in FAULTS}
    for number, code in enumerate(("00", "13", "01", "23", "29")):
        scan = by_code[code].make("axial")
        set_tags(SeriesInstanceUID=f"1.2.{number}")(scan)
        scan.write(data / f"scan {code}")
    (data / "list.csv").write_text("a,b")
    before = sorted((path, path.stat().st_mtime_ns) for path in data.rglob("*"))
    command = ["compare", str(data), "--readers", "SimpleITK", "medunet", "--out", str(out), "--peers", sys.executable]
    monkeypatch.setattr(sys, "argv", command)
    assert compare_readers.main() == 0
    text = out.read_text()
    assert capsys.readouterr().out.strip() == text.strip()
    cells = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in text.split("\n")
        if "|" in line
    }
    assert cells["scan 00 CT"] == ["9", "ok", "ok"]
    assert cells["scan 13 CT"][1].startswith("S ")
    assert cells["scan 13 CT"][2] == "ok*"
    assert cells["scan 01 CT"][1:] == ["Sw 1.40 mm", "R"]
    assert cells["scan 23 CT"][2] == "ok* 9/10"
    assert "scan 29 CT: left out, 0001.dcm: ImagePositionPatient is missing" in text
    assert "files that are no images in DICOM: 1" in text
    assert before == sorted((path, path.stat().st_mtime_ns) for path in data.rglob("*"))


def test_a_folder_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        compare_readers.main()
    assert "is no folder" in capsys.readouterr().err
