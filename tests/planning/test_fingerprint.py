from pathlib import Path

import numpy as np
import pytest

from medunet.cohort import find_cohort, read_channel, read_label
from medunet.errors import LabelError
from medunet.planning import measure_cohort


def test_measures_are_those_of_the_voxels_inside_the_labels(cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    fingerprint = measure_cohort(cohort)
    values = []
    for case, measure in zip(cohort.cases, fingerprint.cases, strict=True):
        volume = read_channel(case, "ct")
        mask = read_label(cohort, case, volume.grid)
        values.append(volume.voxels[0][mask.voxels > 0])
        x, y, z = volume.grid.nearest_axes()
        assert measure.shape == tuple(volume.grid.shape[axis] for axis in (x, y, z))
        assert measure.label_ml["lesion"] == pytest.approx(mask.volumes_ml()["lesion"], abs=1e-3)
    inside = np.concatenate(values)
    statistics = fingerprint.channels["ct"]
    assert statistics.mean == pytest.approx(inside.mean(), rel=0.01)
    assert statistics.low == pytest.approx(np.percentile(inside, 0.5), abs=5)
    assert statistics.high == pytest.approx(np.percentile(inside, 99.5), abs=5)
    assert fingerprint.median_shape_at(fingerprint.cases[0].spacing_mm)[0] > 30
    longest = max(case.shape[2] * case.spacing_mm[2] for case in fingerprint.cases)
    assert fingerprint.largest_extent()[2] == pytest.approx(longest, abs=0.05)


def test_a_cohort_without_any_label_is_refused(cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    measured = measure_cohort(cohort)
    healthy = [case.id for case in measured.cases if case.label_ml["lesion"] == 0]
    bare = tuple(case for case in cohort.cases if case.id in healthy)
    assert bare
    with pytest.raises(LabelError, match="no case holds any voxel"):
        measure_cohort(cohort.model_copy(update={"cases": bare}))
