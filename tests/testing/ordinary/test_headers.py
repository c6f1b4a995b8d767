from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from medunet.testing.faults import make_scan
from medunet.testing.ordinary import headers


def test_numbers_are_written_as_other_text_of_the_same_value(tmp_path: Path) -> None:
    scan = make_scan("oblique")
    headers.write_text(["ImagePositionPatient"], "{:.17f}".format)(scan)
    scan.write(tmp_path)
    content = (tmp_path / "0001.dcm").read_bytes()
    assert b"-20.00000000000000000\\35." in content
    assert scan.slices[0].position == pytest.approx((-20, 35, 110))


def test_tags_can_be_unknown_to_their_writer(tmp_path: Path) -> None:
    scan = make_scan()
    headers.write_unknown("RescaleSlope")(scan)
    scan.write(tmp_path)
    assert b"\x28\x00\x53\x10UN" in (tmp_path / "0001.dcm").read_bytes()


def test_a_pet_has_a_slope_a_slice_and_its_truth_is_suv() -> None:
    scan, plain = make_scan(), make_scan()
    headers.become_pet("ADMIN")(scan)
    stored = plain.slices[3].stored()
    assert scan.slices[3].values == pytest.approx(stored * 3.5 * 70_000 / 3.7e8)
    headers.become_pet("START", weight=False)(plain)
    assert plain.slices[3].values == pytest.approx(stored * 3.5)


def test_objects_and_series_lie_beside_the_slices(tmp_path: Path) -> None:
    scan = make_scan()
    headers.add_object("raw.dcm", headers.RAW_DATA)(scan)
    headers.add_series(turned=True)(scan)
    headers.add_damaged_report(scan)
    scan.write(tmp_path)
    raw = dcmread(tmp_path / "raw.dcm")
    assert "PixelData" not in raw
    assert raw.SeriesInstanceUID == dcmread(tmp_path / "0001.dcm").SeriesInstanceUID
    assert len(list(tmp_path.iterdir())) == 9 + 9 + 2
    assert {item.group for item in scan.slices} == {"main", "second"}
    assert np.allclose(scan.slices[-1].directions[1], scan.slices[0].normal)


def test_files_can_be_called_otherwise(tmp_path: Path) -> None:
    scan = make_scan()
    headers.rename_files(lambda k: f"{k}/IMAGE")(scan)
    headers.add_file("Thumbs.db", b"x")(scan)
    scan.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*map(str, range(9)), "Thumbs.db"]
