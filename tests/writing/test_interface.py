from pathlib import Path

import numpy as np
from dicoms import make_grid, write_series
from pydicom.uid import UID

from medunet.labels import LabelTable, Mask
from medunet.reading import find_image, read_mask, read_segmentation, read_volume
from medunet.writing import Algorithm, Result, choose_formats
from medunet.writing.interface import check_nothing


def test_a_format_checks_writes_and_reads_back_by_its_row(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", make_grid())
    image, volume = find_image(tmp_path / "ct"), read_volume(tmp_path / "ct")
    table, maker = LabelTable.from_names(["lesion"]), Algorithm("bundle", "1", "0" * 64)
    voxels = np.zeros(volume.grid.shape, np.uint8)
    voxels[1:4, 2:5, 1:3] = 1
    result = Result(Mask("classes", voxels, volume.grid, table), image, maker)
    for row, read in zip(choose_formats(("nifti", "seg"), "mm"), (read_mask, read_segmentation), strict=True):
        assert row.read is read
        row.check(image, table, maker)
        path = tmp_path / f"a{row.ending}"
        row.write(result, path)
        assert np.array_equal(read(path, volume.grid, table).voxels, voxels)


def test_a_device_is_named_by_its_weights() -> None:
    first, again, other = Algorithm("a", "1", "0" * 64), Algorithm("b", "2", "0" * 64), Algorithm("a", "1", "1" * 64)
    assert first.device_uid == again.device_uid != other.device_uid
    assert UID(first.device_uid).is_valid
    assert first.device_uid.startswith("2.25.")


def test_what_every_scan_can_be_needs_no_check(tmp_path: Path) -> None:
    (nifti,) = choose_formats((), "mm")
    assert nifti.check is check_nothing
    assert not nifti.optional
