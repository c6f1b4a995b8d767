import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import partial_labels
import pytest

from medunet.cohort import find_cohort


def read(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def test_each_organ_is_contoured_in_a_third_and_the_held_out_have_both(tmp_path: Path) -> None:
    for complete in (True, False):
        partial_labels.write_patients(tmp_path / str(complete), 6, 0, complete=complete)
    cohort = find_cohort(tmp_path / "False", missing="unknown")
    assert cohort.folds is not None
    values = []
    for case in cohort.cases:
        whole, part = (read(tmp_path / name / f"{case.id}_label.nii.gz") for name in ("True", "False"))
        assert set(np.unique(whole)) == {0, 1, 2}
        values.append(sorted(set(np.unique(part).tolist()) - {0}))
        assert np.array_equal(part, whole * np.isin(whole, values[-1]))
        same = [read(tmp_path / name / f"{case.id}_ct.nii.gz") for name in ("True", "False")]
        assert np.array_equal(*same)
    assert values == [[1], [2], []] * 2 + [[1, 2]] * partial_labels.HELD_OUT
    assert [case.id for case in cohort.cases[6:]] == list(cohort.folds[0])


def test_costs_are_beside_all_contours() -> None:
    found = {"all contours": [0.9, 0.8], "unknown": [0.85, 0.8], "background": [0.5, 0.6]}
    assert partial_labels.find_costs(found) == pytest.approx((0.025, 0.3))


@pytest.mark.slow
def test_what_is_unknown_costs_less_than_a_third_of_what_background_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["partial_labels.py", str(tmp_path)])
    assert partial_labels.main() == 0
    *_, unknown, background = (float(word) for word in capsys.readouterr().out.replace(",", "").split() if "." in word)
    assert background >= 0.10
    assert unknown < background / 3
