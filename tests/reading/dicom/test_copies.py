from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_series

from medunet.errors import SeriesError
from medunet.reading import find_series
from medunet.reading.dicom.copies import drop_copies


def test_copies_go_and_slices_come_back_in_order(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    names = sorted(path.name for path in tmp_path.iterdir())
    (tmp_path / "again.dcm").write_bytes((tmp_path / names[3]).read_bytes())
    (series,) = find_series(tmp_path).series
    shuffled = [series.headers[n] for n in (3, 0, 6, 2, 4, 1, 5)]
    kept, notes = drop_copies(shuffled)
    heights = [header.position @ np.cross(*header.orientation) for header in kept]
    assert len(kept) == 6
    assert heights == sorted(heights) or heights == sorted(heights, reverse=True)
    assert len(notes) == 1
    assert notes[0].code == "slice-copied"
    assert "is a copy of" in notes[0].text


def test_images_with_other_marks_and_frames_are_no_copies(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    (series,) = find_series(tmp_path).series
    first = series.headers[0]
    later = replace(first, instance_uid="1.2", marks={**first.marks, "AcquisitionTime": "20240102110000"})
    assert len(drop_copies([first, later])[0]) == 2
    frames = [replace(first, frame=number) for number in (0, 1)]
    assert len(drop_copies(frames)[0]) == 2


def test_a_shared_uid_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, "SOPInstanceUID", "1.2.3"), only=[1, 4])
    (series,) = find_series(tmp_path).series
    with pytest.raises(SeriesError, match="it shares its SOPInstanceUID"):
        drop_copies(series.headers)
