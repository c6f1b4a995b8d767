from pathlib import Path

import numpy as np
import pytest

from medunet.bundle import open_bundle
from medunet.distilling import Timer, Wishes, choose_student, count_windows, list_students
from medunet.distilling.timing import draw_scan
from medunet.errors import InputError
from medunet.geometry import Grid
from medunet.measuring import Fingerprint
from medunet.records import read_record

WISHES = Wishes(seconds=60, shape=(48, 40, 24), spacing_mm=(7.0, 7.0, 8.0))


def test_the_largest_network_within_the_seconds_is_taken(trained: Path, tmp_path: Path) -> None:
    teacher = open_bundle(trained)
    fingerprint = read_record(trained / "configs" / "fingerprint.json", Fingerprint)
    students = list_students(teacher.plan, fingerprint, WISHES.shape, WISHES.spacing_mm)
    with Timer(teacher, WISHES, tmp_path) as timer:
        chosen = choose_student(timer, students, WISHES)
        assert chosen.plan == students[0]
        assert 0 < chosen.network_seconds < chosen.seconds < 60
        with pytest.raises(InputError, match=r"the smallest network \(features .* takes .* s for such a scan"):
            choose_student(timer, students, WISHES.model_copy(update={"seconds": 1e-3}))
        seconds, computed = timer.measure_plan(chosen.plan)
        assert chosen.network_seconds / 5 < seconds < 60
        assert computed.startswith("by ")
        assert count_windows(chosen.plan, WISHES.shape, WISHES.spacing_mm) >= 1
    assert not list(tmp_path.iterdir())


def test_no_part_of_the_scan_has_one_value() -> None:
    voxels = draw_scan(Grid((40, 30, 20), np.eye(4)), 50.0, 20.0)
    assert voxels.dtype == np.float32
    assert voxels.shape == (40, 30, 20)
    assert all(np.ptp(voxels[i : i + 4, j : j + 4, :4]) > 0 for i in range(0, 40, 4) for j in range(0, 28, 4))
    assert voxels[20, 15, 10] > voxels[:2].max()
