from pathlib import Path

import numpy as np
import pytest
from dicoms import change, draw_balls, make_grid, write_series
from pydicom import Dataset, dcmread

from medunet.errors import ResourceError, SeriesError
from medunet.labels import Mask
from medunet.reading import find_image
from medunet.testing.faults import FAULTS
from medunet.writing.rtstruct import KIND
from medunet.writing.seg import SEG
from medunet.writing.sources import Kind, check_same, decode_texts, find_slices, share_frame

KINDS = pytest.mark.parametrize("kind", [SEG, KIND])


@KINDS
def test_slices_are_in_the_order_of_the_grid(tmp_path: Path, kind: Kind) -> None:
    grid = make_grid("sagittal")
    write_series(tmp_path, grid)
    headers = find_slices(find_image(tmp_path), kind)
    heights = [header.position @ np.cross(*header.orientation) for header in headers]
    assert np.allclose(np.diff(heights), grid.spacing[2])


@KINDS
def test_a_multiframe_image_is_refused(tmp_path: Path, kind: Kind) -> None:
    fault = next(fault for fault in FAULTS if fault.code == "76")
    fault.make("axial").write(tmp_path)
    with pytest.raises(SeriesError, match=f"a {kind.name} is written for single slices only; leave {kind.format} out"):
        find_slices(find_image(tmp_path), kind)


def test_frames_of_their_own_become_one(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    datasets = [dcmread(path) for path in sorted(tmp_path.iterdir())]
    assert share_frame(datasets) == ""
    for number, dataset in enumerate(datasets):
        dataset.FrameOfReferenceUID = f"1.2.{number}"
    assert "of its own" in share_frame(datasets)
    assert {dataset.FrameOfReferenceUID for dataset in datasets} == {"1.2.0"}


def test_a_text_is_decoded_or_left_out(tmp_path: Path) -> None:
    def rename(dataset: Dataset, _: int) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.PatientName = "Müller"

    write_series(tmp_path, make_grid())
    change(tmp_path, rename)
    path = next(tmp_path.iterdir())
    dataset = dcmread(path)
    assert decode_texts(dataset, SEG) == []
    assert str(dataset.PatientName) == "Müller"
    broken = dcmread(path)
    broken.SpecificCharacterSet = "ISO_IR 192"
    assert decode_texts(broken, SEG) == ["PatientName"]
    assert broken.PatientName == broken.PatientID


def test_what_was_read_back_is_compared(tmp_path: Path) -> None:
    mask = draw_balls(make_grid())
    check_same(mask, mask, tmp_path)
    other = Mask("classes", np.zeros_like(mask.voxels), mask.grid, mask.table)
    with pytest.raises(ResourceError, match="differs from what was written"):
        check_same(other, mask, tmp_path)
