from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from medunet.testing.faults import make_scan
from medunet.testing.faults import strangers as made


@pytest.mark.parametrize(
    ("become", "kind", "pixels", "placed"),
    [
        (made.become_raw, "Raw Data Storage", 0, False),
        (made.become_private, "1.3.12.2.1107.5.9.1", 2 * 32 * 36, False),
        (made.become_capture, "Secondary Capture Image Storage", 2 * 32 * 36, True),
        (made.become_coloured, "CT Image Storage", 3 * 32 * 36, True),
        (made.lose_place, "CT Image Storage", 2 * 32 * 36, False),
    ],
)
def test_strangers(tmp_path: Path, become: object, kind: str, pixels: int, placed: bool) -> None:
    scan = make_scan("oblique")
    made.add_object("odd", become)(scan)  # type: ignore[arg-type]
    scan.write(tmp_path)
    assert (len(scan.slices), scan.slices[-1].extra) == (10, True)
    odd: Dataset = dcmread(tmp_path / "odd.dcm")
    assert odd.SOPClassUID.name == odd.file_meta.MediaStorageSOPClassUID.name == kind
    assert odd.SeriesInstanceUID == scan.slices[0].dataset.SeriesInstanceUID
    assert odd.SOPInstanceUID != scan.slices[0].dataset.SOPInstanceUID
    assert len(odd.get("PixelData", b"")) == pixels
    assert ("ImagePositionPatient" in odd) == placed


def test_frames_in_turns() -> None:
    scan = make_scan()
    made.number_frames(2)(scan)
    frames = [item.dataset.FrameOfReferenceUID for item in scan.slices]
    assert len(set(frames)) == 2
    assert frames[0] == frames[2] != frames[1]


def test_a_slice_between_two() -> None:
    scan = make_scan()
    made.add_between(scan)
    fresh, near = scan.slices[-1], scan.slices[5]
    assert np.allclose(fresh.position - near.position, near.normal * 0.25)
    assert np.array_equal(fresh.stored() - 1024, fresh.values)
    assert fresh.group != near.group


def test_a_private_element_for_each_image() -> None:
    scan = make_scan()
    made.put_private(("1", "2"), 0x2001, "Philips Imaging DD 001", 0x08, "IS")(scan)
    values = {item.group: item.dataset[0x2001, 0x1008].value for item in scan.slices}
    assert values == {"main": 1, "private": 2}
    assert len(scan.slices) == 18
