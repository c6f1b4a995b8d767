"""On trained weights and real scans, backends agree; a record says how a mask was computed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from stock import measure_dice

import medunet
from medunet.bundle import open_bundle
from medunet.cohort import Case, Cohort, find_cohort, read_folds, split_cases
from medunet.errors import OutputExistsError
from medunet.inference import Computing, PredictionRecord, open_predictor, predict_case
from medunet.inference.computing import PLAIN
from medunet.records import read_record

ROOT = Path(__file__).parents[2]
EIGHT = np.ones((3, 3, 3))


def assert_agreeing(folder: Path, fold: int | None, cases: Sequence[Case]) -> None:
    """Dice of each label of at least 0.999, and as many parts."""
    bundle = open_bundle(folder)
    wanted, other = (open_predictor(bundle, fold, how) for how in (PLAIN, Computing(backend="openvino")))
    assert (wanted.computed.backend, other.computed.backend) == ("torch", "openvino")
    assert other.backend.traits.exact
    found = 0
    for case in cases:
        plain, fast = (predict_case(predictor, case).join_objects().voxels for predictor in (wanted, other))
        for value in np.unique(plain[plain > 0]):
            found += 1
            assert measure_dice(plain == value, fast == value) >= 0.999
            assert ndimage.label(plain == value, EIGHT)[1] == ndimage.label(fast == value, EIGHT)[1]
    assert found


@pytest.mark.data
def test_openvino_agrees_with_torch_on_sarcomas(sts: Path) -> None:
    pytest.importorskip("openvino")
    cohort = read_folds(sts / "folds.json", find_cohort(sts, channels=("ct", "pet")))
    for fold in range(2):
        assert_agreeing(ROOT / "bundles" / "sts_petct_unet3d", fold, take_held_out(cohort, fold, 2))


@pytest.mark.data
def test_openvino_agrees_with_torch_on_nuclei(nuclei: Path) -> None:
    pytest.importorskip("openvino")
    cohort = read_folds(nuclei / "folds.json", find_cohort(nuclei, objects=True))
    assert_agreeing(ROOT / "bundles" / "nuclei_unet2d", None, take_held_out(cohort, 0, 8))


def take_held_out(cohort: Cohort, fold: int, count: int) -> Sequence[Case]:
    return split_cases(cohort, fold)[1][:count]


def test_how_a_mask_was_computed_belongs_to_what_it_is(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    (made,) = medunet.predict(trained, patients[0], output=tmp_path, backend="torch")
    record = read_record(tmp_path / f"{made.id}.json", PredictionRecord)
    assert record.computed is not None
    assert record.computed.describe() == "by torch in float32, 2 patches at once, preset exact"
    assert medunet.predict(trained, patients[0], output=tmp_path, backend="torch")[0].kept
    for other in ({"mirror": True}, {"preset": "fast", "backend": "torch"}):
        with pytest.raises(OutputExistsError, match=r"it was made (by torch in float32|with other options)"):
            medunet.predict(trained, patients[0], output=tmp_path, **({"backend": "torch"} | other))  # type: ignore[arg-type]


def test_fast_says_what_it_cuts_off_and_that_nobody_measured_it(
    trained: Path, patients: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (exact,) = medunet.predict(trained, patients[0], output=tmp_path / "exact", backend="torch")
    (fast,) = medunet.predict(trained, patients[0], output=tmp_path / "fast", backend="torch", preset="fast")
    assert "nobody measured what --preset fast costs it" in caplog.text
    assert measure_dice(exact.mask.voxels, fast.mask.voxels) > 0.8
    record = read_record(tmp_path / "fast" / f"{fast.id}.json", PredictionRecord)
    cut = [note for note in record.notes if "only the box around the body was predicted" in note]
    assert bool(cut) == ("only the box around the body" in caplog.text)
    assert record.warnings == read_record(tmp_path / "exact" / f"{exact.id}.json", PredictionRecord).warnings
