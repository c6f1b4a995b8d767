import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from counting import Counts
from dicoms import change, make_grid, write_series
from pydicom import Dataset, dcmread

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


def draw_points(folder: Path, places: int, times: int, *, marked: bool) -> None:
    """A series of many time points at each place, which their headers tell apart or don't."""
    write_series(folder / "part", make_grid("axial", (4, 4, places)))
    rng = np.random.default_rng(0)
    for place, path in enumerate(sorted((folder / "part").iterdir())):
        dataset = dcmread(path)
        for time in range(times):
            dataset.SOPInstanceUID = f"1.2.{place}.{time}"
            dataset.PixelData = rng.integers(0, 4000, (4, 4)).astype(np.uint16).tobytes()
            if marked:
                dataset.AcquisitionNumber = time + 1
            dataset.save_as(folder / f"{place:02d}-{time:03d}.dcm")
    shutil.rmtree(folder / "part")


@pytest.mark.parametrize(("marked", "kept", "reads"), [(True, False, 0), (False, False, 1), (False, True, 0)])
def test_many_time_points_are_told_apart_in_one_pass(
    tmp_path: Path, counts: Counts, marked: bool, kept: bool, reads: int
) -> None:
    draw_points(tmp_path, 5, 40, marked=marked)
    (tmp_path / "again.dcm").write_bytes((tmp_path / "02-007.dcm").read_bytes())
    (series,) = find_series(tmp_path, keep=kept).series
    counts.clear()
    left, notes = drop_copies(series.headers)
    assert len(left) == 200
    (note,) = notes
    assert note.text == f"{tmp_path / 'again.dcm'} is a copy of {tmp_path / '02-007.dcm'} and was left out"
    parsed = counts.take("parse", tmp_path)
    # Where only two are alike only these two are read.
    assert parsed.total() == (2 if marked else 201 * reads)
    assert set(parsed.values()) <= {1}


def test_a_copy_of_a_copy_and_copies_of_several_are_all_found(tmp_path: Path) -> None:
    draw_points(tmp_path, 3, 4, marked=False)
    for number, name in enumerate(("00-000", "00-003", "00-000", "02-001")):
        (tmp_path / f"x{number}.dcm").write_bytes((tmp_path / f"{name}.dcm").read_bytes())
    (series,) = find_series(tmp_path).series
    left, notes = drop_copies(series.headers)
    assert sorted(Path(header.path).name for header in left) == [f"0{p}-00{t}.dcm" for p in range(3) for t in range(4)]
    pairs = [tuple(Path(word).stem for word in note.text.split() if word.endswith(".dcm")) for note in notes]
    assert sorted(pairs) == [("x0", "00-000"), ("x1", "00-003"), ("x2", "00-000"), ("x3", "02-001")]


def test_an_image_moved_within_its_plane_or_scaled_otherwise_is_no_copy(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid("axial"))
    (tmp_path / "moved.dcm").write_bytes((tmp_path / "0002.dcm").read_bytes())
    (tmp_path / "scaled.dcm").write_bytes((tmp_path / "0003.dcm").read_bytes())

    def edit(dataset: Dataset, number: int) -> None:
        dataset.SOPInstanceUID = f"1.2.{number}"
        if number == 6:
            dataset.ImagePositionPatient = [
                float(dataset.ImagePositionPatient[0]) + 1,
                *dataset.ImagePositionPatient[1:],
            ]
        else:
            dataset.RescaleSlope = "2"

    change(tmp_path, edit, only=[6, 7])
    (series,) = find_series(tmp_path).series
    assert len(drop_copies(series.headers)[0]) == 8
