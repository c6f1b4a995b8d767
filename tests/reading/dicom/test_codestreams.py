from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import get_frame
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless

from medunet.reading.dicom.codestreams import Frame, describe_stream
from medunet.testing.faults import make_scan
from medunet.testing.faults.coding import compress_lossless_jpeg


@pytest.mark.parametrize(
    ("syntax", "plugin", "lossy", "options"),
    [
        (JPEGLSLossless, "pyjpegls", False, {}),
        (JPEGLSNearLossless, "pyjpegls", True, {"jls_error": 2}),
        (JPEG2000Lossless, "pylibjpeg", False, {}),
        (JPEG2000, "pylibjpeg", True, {"j2k_cr": [4]}),
    ],
)
def test_a_stream_tells_its_size_its_bits_and_whether_it_loses(
    syntax: str, plugin: str, lossy: bool, options: dict
) -> None:
    dataset = make_scan().slices[0].dataset
    dataset.compress(syntax, encoding_plugin=plugin, **options)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    assert describe_stream(stream) == Frame(36, 32, 12, lossy=lossy)
    assert describe_stream(stream[:3]) is None
    assert describe_stream(stream[:20]) in (None, Frame(36, 32, 12, lossy=True))


def test_jpeg_with_fill_bytes_before_its_frame(tmp_path: Path) -> None:
    make_scan().write(tmp_path)
    compress_lossless_jpeg(tmp_path)
    stream = get_frame(dcmread(tmp_path / "0001.dcm").PixelData, 0, number_of_frames=1)
    whole = describe_stream(stream)
    assert whole is not None
    assert (whole.rows, whole.columns, whole.lossy) == (36, 32, False)
    assert describe_stream(stream[:2] + b"\xff\xff" + stream[2:]) == whole
    assert describe_stream(b"nonsense") is None
