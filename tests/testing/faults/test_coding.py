from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import get_frame
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medunet.testing.faults import Edit, coding, make_scan, values

LOSSLESS = {
    "RLE Lossless": coding.compress(RLELossless, "pydicom"),
    "JPEG-LS Lossless": coding.compress(JPEGLSLossless, "pyjpegls"),
    "JPEG 2000 Image Compression (Lossless Only)": coding.compress(JPEG2000Lossless, "pylibjpeg"),
    "High-Throughput JPEG 2000 Image Compression (Lossless Only)": coding.compress_htj2k,
    "Deflated Explicit VR Little Endian": coding.encode(DeflatedExplicitVRLittleEndian),
    "Explicit VR Big Endian": coding.encode(ExplicitVRBigEndian),
    "Implicit VR Little Endian": coding.encode(ImplicitVRLittleEndian),
    "JPEG Lossless, Non-Hierarchical": values.later(coding.compress_lossless_jpeg),
}


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_the_stored_numbers_are_kept(syntax: str, tmp_path: Path) -> None:
    """Decoded by pydicom and its plugins, but for the one that none of ours has."""
    scan = make_scan("sagittal")
    LOSSLESS[syntax](scan)
    scan.write(tmp_path)
    for item in scan.slices:
        dataset = dcmread(tmp_path / item.name)
        assert dataset.file_meta.TransferSyntaxUID.name.startswith(syntax)
        assert np.array_equal(dataset.pixel_array.astype(int) - 1024, item.values)


@pytest.mark.parametrize(
    ("change", "most"), [(coding.compress(JPEG2000, "pylibjpeg", j2k_cr=[4]), 200), (coding.compress_baseline, 20)]
)
def test_a_lossy_coding_says_so_and_stays_near(change: Edit, most: float, tmp_path: Path) -> None:
    scan = make_scan()
    change(scan)
    scan.write(tmp_path)
    lost = 0.0
    for item in scan.slices:
        dataset = dcmread(tmp_path / item.name)
        assert dataset.LossyImageCompression == "01"
        lost = max(lost, np.abs(dataset.pixel_array.astype(float) - 1024 - item.values).max())
    assert 0 < lost <= most


def test_htj2k_is_known_of_the_clean_scan_alone() -> None:
    scan = make_scan(seed=1)
    before = [item.dataset.PixelData for item in scan.slices]
    coding.compress_htj2k(scan)
    assert [item.dataset.PixelData for item in scan.slices] == before


def test_one_series_in_five_syntaxes(tmp_path: Path) -> None:
    scan = make_scan()
    coding.mix_encodings(scan)
    scan.write(tmp_path)
    read = [dcmread(tmp_path / item.name) for item in scan.slices]
    assert len({dataset.file_meta.TransferSyntaxUID for dataset in read}) == 5
    for dataset, item in zip(read, scan.slices, strict=True):
        assert np.array_equal(dataset.pixel_array.astype(int) - 1024, item.values)


def test_a_stream_is_cut_and_a_header_contradicts_its_stream() -> None:
    scan, whole = make_scan(), make_scan()
    for each in (scan, whole):
        coding.compress(JPEGLSLossless, "pyjpegls")(each)
    coding.damage_stream(scan)
    sizes = [
        [len(get_frame(item.dataset.PixelData, 0, number_of_frames=1)) for item in each.slices]
        for each in (scan, whole)
    ]
    assert [short < full for short, full in zip(*sizes, strict=True)] == [k == 5 for k in range(9)]
    coding.turn_headers(whole)
    assert {(item.dataset.Rows, item.dataset.Columns) for item in whole.slices} == {(32, 36)}
    assert whole.slices[0].values.shape == (36, 32)
