import struct

import pytest
from pydicom import Dataset

from medunet.reading.dicom.marks import read_marks, sort_key


def test_values_are_spelt_so_that_equal_ones_are_equal() -> None:
    dataset = Dataset()
    dataset.EchoTime, dataset.AcquisitionNumber, dataset.ImageType = "4.600", 1234567, ["DERIVED", "M"]
    dataset.AcquisitionDate, dataset.AcquisitionTime, dataset.FlipAngle = "20240102", "235959.5", None
    assert read_marks(dataset) == {
        "EchoTime": "4.6",
        "AcquisitionNumber": "1234567",
        "ImageType": "DERIVED/M",
        "AcquisitionTime": "20240102235959.5",
    }


def test_b_values_that_vendors_keep_to_themselves() -> None:
    for group, creator, element in ((0x0019, "SIEMENS MR HEADER", 0x0C), (0x2001, "Philips Imaging DD 001", 0x03)):
        dataset = Dataset()
        block = dataset.private_block(group, creator, create=True)
        block.add_new(element, "IS", "800")
        assert read_marks(dataset) == {"DiffusionBValue": "800"}
    dataset.DiffusionBValue = 50.0
    assert read_marks(dataset) == {"DiffusionBValue": "50"}


@pytest.mark.parametrize(
    ("group", "creator", "elements", "mark"),
    [
        (0x0043, "GEMS_PARM_01", {0x39: ("IS", [1000000700, 8, 0, 0])}, {"BValue": "700"}),
        (0x0043, "GEMS_PARM_01", {0x39: ("UN", b"700\\8\\0 ")}, {"BValue": "700"}),
        (0x0043, "GEMS_PARM_01", {0x39: ("LO", "none")}, {}),
        (
            0x0019,
            "GEMS_ACQU_01",
            {0xBB: ("DS", "0.50"), 0xBC: ("DS", "-1"), 0xBD: ("DS", "0")},
            {"DiffusionGradientOrientation": "0.5/-1/0"},
        ),
        (0x0019, "GEMS_ACQU_01", {0xBB: ("DS", "0.50")}, {}),
        (
            0x2005,
            "Philips MR Imaging DD 001",
            {0xB0 + n: ("UN", struct.pack("<f", 0.25 * n)) for n in range(3)},
            {"DiffusionGradientOrientation": "0/0.25/0.5"},
        ),
        (0x2005, "Philips MR Imaging DD 005", {0x29: ("CS", "LABEL")}, {"ASLContext": "LABEL"}),
        (0x2001, "Philips Imaging DD 001", {0x08: ("IS", "3")}, {"PhaseNumber": "3"}),
        (0x2001, "Philips Imaging DD 001", {0x08: ("UN", b"\xff\xfe\xff")}, {}),
        (0x2001, "Another", {0x08: ("IS", "3")}, {}),
    ],
)
def test_what_else_vendors_keep_to_themselves(group: int, creator: str, elements: dict, mark: dict[str, str]) -> None:
    dataset = Dataset()
    block = dataset.private_block(group, creator, create=True)
    for element, (kind, value) in elements.items():
        block.add_new(element, kind, value)
    assert read_marks(dataset) == mark


def test_numbers_go_by_size_and_before_words() -> None:
    assert sorted(["none", "800", "50", "1e3", ""], key=sort_key) == ["50", "800", "1e3", "", "none"]
