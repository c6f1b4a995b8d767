"""The bundles that come with medunet are whole, and score what their cards say."""

import re
import subprocess
from pathlib import Path

import pytest
from one_fold import tabulate_cases

import medunet
from medunet.bundle import open_bundle
from medunet.bundle.configs import (
    make_evaluate_config,
    make_inference_config,
    make_multi_gpu_config,
    make_train_config,
)
from medunet.bundle.metadata import make_metadata
from medunet.cohort import find_cohort, write_cohort
from medunet.evaluation import Scores
from medunet.inference import open_predictor
from medunet.records import read_json, read_record

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.parent.parent for path in ROOT.glob("bundles/*/configs/plan.json"))
MEGABYTE = 1_000_000
CONFIGS = {
    "inference.json": make_inference_config,
    "evaluate.json": make_evaluate_config,
    "train.json": make_train_config,
    "multi_gpu_train.json": make_multi_gpu_config,
}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_is_whole_and_its_card_shows_its_scores(folder: Path) -> None:
    assert open_predictor(open_bundle(folder)).weights_sha256
    assert sum(path.stat().st_size for path in (folder / "models").iterdir()) <= 20 * MEGABYTE
    kept = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert kept
    assert not any("work" in Path(name).parts for name in kept.splitlines())
    card = (folder / "docs" / "README.md").read_text(encoding="utf-8")
    assert tabulate_cases(read_record(folder / "docs" / "scores.json", Scores)) in card
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", card)
    assert pictures
    assert all((folder / "docs" / name).is_file() for name in pictures)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_is_made_anew_without_a_difference(folder: Path) -> None:
    plan = open_bundle(folder).plan
    for name, make in CONFIGS.items():
        assert read_json(folder / "configs" / name) == make(plan)
    written, made = read_json(folder / "configs" / "metadata.json"), make_metadata(plan, folder.name)
    assert all(written[key] == made[key] for key in ("schema", "network_data_format", "segments", "data_type"))


@pytest.mark.data
def test_the_sarcoma_bundle_scores_what_its_card_says(sts: Path, tmp_path: Path) -> None:
    folder = ROOT / "bundles" / "sts_petct_unet3d"
    written = read_record(folder / "docs" / "scores.json", Scores)
    cohort = find_cohort(sts, channels=("ct", "pet"))
    wanted = min(written.of_first(), key=lambda score: score.truth_ml).case
    case = tuple(case for case in cohort.cases if case.id == wanted)
    write_cohort(tmp_path / "cohort.json", cohort.model_copy(update={"cases": case}))
    result = medunet.evaluate(folder, cohort=tmp_path / "cohort.json", output=tmp_path / "evaluation")
    for method, scores in result.scores.methods.items():
        before = next(score for score in written.methods[method] if score.case == wanted)
        assert scores[0].dice == pytest.approx(before.dice, abs=0.005), method
