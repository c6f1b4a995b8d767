from pathlib import Path

import numpy as np
import pytest
from discs import draw_discs

from medunet.bundle import open_bundle
from medunet.cohort import find_cohort, read_channel, read_label
from medunet.preparation import prepare_case, prepare_cases


def test_prepared_labels_keep_their_volume_and_place(untrained: Path, tmp_path: Path) -> None:
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    for prepared, case in zip(
        prepare_cases(cohort, cohort.cases, bundle.preprocessing, tmp_path), cohort.cases, strict=True
    ):
        mask = read_label(cohort, case, read_channel(case, "ct").grid)
        volume = prepared.label().sum() * np.prod(bundle.plan.spacing_mm) / 1000
        assert volume == pytest.approx(mask.volumes_ml()["lesion"], rel=0.25, abs=1)
        assert prepared.image().shape[1:] == prepared.label().shape
        values = {int(prepared.label()[tuple(row[1:])]) for row in prepared.centres()}
        assert values <= {1}


def test_the_cache_is_kept_until_the_case_changes(untrained: Path, tmp_path: Path) -> None:
    bundle = open_bundle(untrained)
    cohort = bundle.cohort()
    first = prepare_case(cohort, cohort.cases[0], bundle.preprocessing, tmp_path)
    stamp = (first.folder / "image.npy").stat().st_mtime_ns
    again = prepare_case(cohort, cohort.cases[0], bundle.preprocessing, tmp_path)
    assert (again.folder / "image.npy").stat().st_mtime_ns == stamp
    changed = [dict(step) for step in bundle.preprocessing]
    changed[-1]["dtype"] = "float16"
    assert prepare_case(cohort, cohort.cases[0], changed, tmp_path).folder != first.folder


def test_objects_are_prepared_as_interior_and_border(tmp_path: Path) -> None:
    draw_discs(tmp_path / "in", 2)
    cohort = find_cohort(tmp_path / "in", objects=True)
    steps = [{"_target_": name, "keys": ["image"]} for name in ("LoadImaged", "EnsureChannelFirstd", "EnsureTyped")]
    joined, parted = (prepare_case(cohort, cohort.cases[1], steps, tmp_path, border) for border in (0, 2))
    assert joined.folder != parted.folder
    assert np.unique(joined.label()).tolist() == [0, 1]
    assert np.unique(parted.label()).tolist() == [0, 1, 2]
    assert np.array_equal(parted.label() > 0, joined.label() > 0)
    assert set(parted.centres()[:, 0]) == {1, 2}
