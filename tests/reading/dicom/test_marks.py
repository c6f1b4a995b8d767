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


def test_numbers_go_by_size_and_before_words() -> None:
    assert sorted(["none", "800", "50", "1e3", ""], key=sort_key) == ["50", "800", "1e3", "", "none"]
