"""The bundles that come with medunet are whole, and score what their cards say."""

import re
import subprocess
from pathlib import Path

import pytest
from one_fold import tabulate_cases
from paired import take_values
from reproduce import score_again

from medunet.bundle import find_stale, open_bundle
from medunet.bundle.metadata import make_metadata
from medunet.cohort import Cohort, find_cohort, read_folds, split_cases
from medunet.evaluation import Scores
from medunet.inference import open_predictor
from medunet.records import read_record
from medunet.training import CONFIGS

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.parent.parent for path in ROOT.glob("bundles/*/configs/plan.json"))
MEGABYTE = 1_000_000
NAMES = ("inference.json", "evaluate.json", "train.json", "multi_gpu_train.json")


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_is_whole_and_its_card_shows_its_scores(folder: Path) -> None:
    assert open_predictor(open_bundle(folder)).weights_sha256
    assert sum(path.stat().st_size for path in (folder / "models").iterdir()) <= 20 * MEGABYTE
    kept = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert kept
    assert not any("work" in Path(name).parts for name in kept.splitlines())
    card = (folder / "docs" / "README.md").read_text(encoding="utf-8")
    assert tabulate_cases(read_scores(folder)) in card
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", card)
    assert pictures
    assert all((folder / "docs" / name).is_file() for name in pictures)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_is_made_anew_without_a_difference(folder: Path) -> None:
    bundle = open_bundle(folder)
    assert all((folder / "configs" / name).is_file() for name in NAMES)
    assert not find_stale(bundle, CONFIGS)
    written, made = bundle.metadata, make_metadata(bundle.plan, folder.name)
    keys = ("schema_", "network_data_format", "segments", "data_type")
    assert all(getattr(written, key) == getattr(made, key) for key in keys)


@pytest.mark.data
def test_each_fold_of_the_sarcoma_bundle_scores_what_its_card_says(sts: Path, tmp_path: Path) -> None:
    folder = ROOT / "bundles" / "sts_petct_unet3d"
    cohort = read_folds(sts / "folds.json", find_cohort(sts, channels=("ct", "pet")))
    volumes = {score.case: score.truth_ml for score in read_scores(folder).of_first()}
    assert cohort.folds is not None
    small = [
        min((case for case in cohort.cases if case.patient in fold), key=lambda case: volumes[case.id])
        for fold in cohort.folds
    ]
    few = cohort.model_copy(update={"cases": tuple(small), "folds": tuple((case.patient,) for case in small)})
    assert_scored_as_on_card(folder, few, tmp_path, "dice", 0.005)


@pytest.mark.data
def test_the_nuclei_bundle_scores_what_its_card_says(nuclei: Path, tmp_path: Path) -> None:
    folder = ROOT / "bundles" / "nuclei_unet2d"
    cohort = read_folds(nuclei / "folds.json", find_cohort(nuclei, objects=True))
    learnt, held_out = split_cases(cohort, 0)
    some = tuple(held_out[::8])
    few = cohort.model_copy(update={"cases": (learnt[0], *some), "folds": (tuple(case.patient for case in some),)})
    # In float32 or bf16, so a voxel here and there is on the other side of a border.
    assert_scored_as_on_card(folder, few, tmp_path, "precision", 0.03)


def read_scores(folder: Path) -> Scores:
    return read_record(folder / "docs" / "scores.json", Scores)


def assert_scored_as_on_card(folder: Path, few: Cohort, tmp_path: Path, measure: str, tolerance: float) -> None:
    """The held-out patients of `few` have the same measure by every method, and no other has one."""
    written, again = read_scores(folder), score_again(folder, few, tmp_path / "evaluation").scores
    assert again.methods.keys() == written.methods.keys()
    held_out = {patient for fold in few.folds or () for patient in fold}
    cases = {case.id for case in few.cases if case.patient in held_out}
    (label,) = again.labels
    for method in again.methods:
        before = take_values(written, method, label, measure)
        after = take_values(again, method, label, measure)
        assert after == {case: pytest.approx(before[case], abs=tolerance) for case in cases}, method
