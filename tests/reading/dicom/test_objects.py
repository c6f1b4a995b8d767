from pathlib import Path

import numpy as np
import pytest
from dicoms import draw_balls, make_grid, write_mask, write_seg, write_series
from pydicom import Dataset, dcmread

from medunet.errors import LabelError
from medunet.reading import read_label_file, read_mask
from medunet.reading.dicom.objects import find_modality, read_object


def test_contours_and_segments_are_described_alike(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "CT", grid)
    mask = draw_balls(grid, ("organ", "tumor"))
    write_mask(tmp_path / "rt.dcm", mask.voxels, grid, voxels)
    write_seg(tmp_path / "seg.dcm", mask, tmp_path / "CT")
    contours, segments = read_label_file(tmp_path / "rt.dcm"), read_label_file(tmp_path / "seg.dcm")
    image = dcmread(next((tmp_path / "CT").iterdir()))
    for found in (contours, segments):
        assert found.series_uids == (image.SeriesInstanceUID,)
        assert found.frame_of_reference_uid == image.FrameOfReferenceUID
        assert (found.patient_id, found.study_uid) == (image.PatientID, image.StudyInstanceUID)
    assert (contours.modality, contours.names) == ("RTSTRUCT", ("lesion",))
    assert (segments.modality, segments.names) == ("SEG", ("organ", "tumor"))


def test_the_background_of_a_label_map_is_no_segment(tmp_path: Path) -> None:
    grid = make_grid()
    write_series(tmp_path / "CT", grid)
    write_seg(tmp_path / "seg.dcm", draw_balls(grid), tmp_path / "CT")
    dataset, background = dcmread(tmp_path / "seg.dcm"), Dataset()
    background.SegmentNumber, background.SegmentLabel = 0, "Background"
    dataset.SegmentSequence.insert(0, background)
    dataset.save_as(tmp_path / "seg.dcm")
    assert read_label_file(tmp_path / "seg.dcm").names == ("lesion",)


def test_labels_are_read_from_files_without_preamble(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "CT", grid)
    mask = draw_balls(grid)
    write_mask(tmp_path / "rt.dcm", mask.voxels, grid, voxels)
    write_seg(tmp_path / "seg.dcm", mask, tmp_path / "CT")
    for path in (tmp_path / "rt.dcm", tmp_path / "seg.dcm"):
        path.write_bytes(path.read_bytes()[132:])
        assert find_modality(path) in ("RTSTRUCT", "SEG")
        assert np.array_equal(read_mask(path, grid, mask.table).voxels, mask.voxels)


def test_other_files_hold_no_labels(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    path = next(tmp_path.glob("*.dcm"))
    with pytest.raises(LabelError, match="it is CT, not RTSTRUCT or SEG"):
        read_label_file(path)
    assert find_modality(path) == "CT"
    path.write_text("nonsense")
    assert find_modality(path) == ""
    with pytest.raises(LabelError, match=r"no readable DICOM file.*give a DICOM SEG"):
        read_object(path, "SEG")
