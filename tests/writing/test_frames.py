from pathlib import Path

import pytest
from pydicom import Dataset, FileDataset, FileMetaDataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from medunet.writing.frames import LARGEST, write_frames


def make_dataset() -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 1, 3, 3
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    return dataset


def make_group(number: int) -> Dataset:
    item, content = Dataset(), Dataset()
    content.DimensionIndexValues, content.FrameLabel = [number, 7], f"Größe {number}"
    item.FrameContentSequence = [content]
    return item


def test_it_is_the_file_that_pydicom_would_write(tmp_path: Path) -> None:
    groups = [make_group(number) for number in range(3)]
    write_frames(make_dataset(), tmp_path / "a.dcm", iter(groups), iter([b"abc", b"defg", b"hi"]), 9)
    read, whole = dcmread(tmp_path / "a.dcm"), make_dataset()
    whole.PerFrameFunctionalGroupsSequence, whole.PixelData = groups, b"abcdefghi\0"
    whole["PixelData"].VR = "OB"
    whole.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    assert read == dcmread(tmp_path / "b.dcm")
    assert read.pixel_array.tobytes() == b"abcdefghi"
    assert read.PerFrameFunctionalGroupsSequence[2].FrameContentSequence[0].FrameLabel == "Größe 2"


def test_pixels_that_are_fewer_than_was_said_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 bytes of pixels came in place of 9"):
        write_frames(make_dataset(), tmp_path / "a.dcm", [], [b"abc"], 9)
    with pytest.raises(ValueError, match="4294967295 bytes in Explicit VR"):
        write_frames(make_dataset(), tmp_path / "a.dcm", [], [], LARGEST + 1)
    dataset = make_dataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    with pytest.raises(ValueError, match="Implicit VR"):
        write_frames(dataset, tmp_path / "a.dcm", [], [], 0)
