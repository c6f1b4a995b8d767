from pathlib import Path

import numpy as np
from dicoms import change, make_grid, write_series
from pydicom import Dataset

from medunet.findings import Note
from medunet.reading import read_volume
from medunet.reading.dicom.padding import find_padding


def test_padding_is_kept_and_noted_and_counts_as_no_high_value(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())

    def pad(dataset: Dataset, _: int) -> None:
        dataset.BitsStored, dataset.HighBit = 16, 15
        stored = np.frombuffer(dataset.PixelData, np.uint16).copy()
        stored[:10] = 63536
        dataset.PixelData = stored.tobytes()
        dataset.add_new("PixelPaddingValue", "US", 63536)

    change(tmp_path, pad)
    volume = read_volume(tmp_path)
    expected = voxels.astype(np.float32)
    expected[:10, 0] = 63536 - 1024
    assert np.array_equal(volume.voxels[0], expected)
    said = "pixels of the stored value 63536 are padding, which is kept"
    assert volume.source.notes == (Note("padding-kept", said),)


def test_signed_values_and_ranges() -> None:
    pixels = np.array([[-2000, -1500, -1024, 5]], dtype=np.int16)
    dataset = Dataset()
    assert find_padding(dataset, pixels) is None
    dataset.PixelRepresentation, dataset.PixelPaddingValue = 1, 63536  # -2000, written as if unsigned
    assert find_padding(dataset, pixels).tolist() == [[True, False, False, False]]
    dataset.PixelPaddingRangeLimit = -1500
    assert find_padding(dataset, pixels).tolist() == [[True, True, False, False]]
