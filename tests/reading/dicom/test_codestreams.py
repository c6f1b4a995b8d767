from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import get_frame
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from medunet.reading.dicom.codestreams import measure_stream
from medunet.testing.faults import make_scan
from medunet.testing.faults.coding import compress_lossless_jpeg


@pytest.mark.parametrize(("syntax", "plugin"), [(JPEGLSLossless, "pyjpegls"), (JPEG2000Lossless, "pylibjpeg")])
def test_a_stream_tells_its_rows_and_columns(syntax: str, plugin: str) -> None:
    dataset = make_scan().slices[0].dataset
    dataset.compress(syntax, encoding_plugin=plugin)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    assert measure_stream(stream) == (36, 32)
    assert measure_stream(stream[:3]) is None


def test_jpeg_with_fill_bytes_before_its_frame(tmp_path: Path) -> None:
    make_scan().write(tmp_path)
    compress_lossless_jpeg(tmp_path)
    stream = get_frame(dcmread(tmp_path / "0001.dcm").PixelData, 0, number_of_frames=1)
    assert measure_stream(stream) == (36, 32)
    assert measure_stream(stream[:2] + b"\xff\xff" + stream[2:]) == (36, 32)
    assert measure_stream(b"nonsense") is None
