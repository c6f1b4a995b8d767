"""Another network of MONAI's in the plan: init, training, resume, prediction, MONAI alone."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cohorts import write_cohort, write_pictures
from plans import pin_schedule
from stock import in_float32, run_stock

import medunet
from medunet.errors import BundleError, RecordError
from medunet.labels import Mask
from medunet.records import read_json, write_json
from medunet.training import RunFolder

SEGRESNET = {"_target_": "SegResNet", "init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1]}
SWIN = {"_target_": "SwinUNETR", "feature_size": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1]}


def edit(bundle: Path, group: str, **values: Any) -> None:
    path = bundle / "configs" / "plan.json"
    plan = read_json(path)
    plan[group] |= values
    write_json(path, plan)


def train(bundle: Path, epochs: int = 2, steps: int = 2) -> None:
    pin_schedule(bundle, epochs=epochs, steps_per_epoch=steps)
    medunet.train(bundle)


def compare_with_monai(bundle: Path, scan: Path, place: Path) -> Mask:
    """Predict a scan, which MONAI alone must do alike; agreement on nothing would prove nothing."""
    alone = place / "scan" / f"a.{scan.name.partition('.')[2]}"
    alone.parent.mkdir()
    shutil.copy(scan, alone)
    with in_float32():
        (ours,) = medunet.predict(bundle, alone, backend="torch")
    theirs = run_stock(bundle, alone.parent, place / "out")
    assert len(np.unique(theirs)) > 1
    assert (ours.mask.voxels.reshape(theirs.shape) == theirs).all()
    return ours.mask


@pytest.mark.parametrize("network", [SEGRESNET, pytest.param(SWIN, marks=pytest.mark.slow)])
def test_it_is_planned_trained_resumed_and_monai_alone_agrees(network: dict[str, Any], tmp_path: Path) -> None:
    shape = (28, 26, 20) if network is SEGRESNET else (66, 66, 40)
    cohort, bundle = write_cohort(tmp_path / "cohort", shape=shape), tmp_path / "b"
    plan = medunet.init(cohort, bundle, network=network, budget_minutes=0.2)
    assert plan.network.given is not None
    assert plan.network.given.weights > 0
    assert plan.foreseen.peak_gib["train"] > 0
    assert (plan.source, plan.training.optimizer) == ("", "adamw")
    shutil.copytree(bundle, tmp_path / "again")
    train(bundle, steps=10)
    # The same run, whose last epoch was lost.
    again = tmp_path / "again"
    shutil.copytree(bundle / "work", again / "work", dirs_exist_ok=True)
    run = RunFolder(again / "work" / "fold0")
    for path in [*run.path.glob("checkpoint-2.*"), run.path / "finished", run.path / "result.json"]:
        path.unlink()
    medunet.train(again)
    first, second = (torch.load(folder / "models" / "model.pt", weights_only=True) for folder in (bundle, again))
    assert all(torch.equal(first[name], second[name]) for name in first)
    compare_with_monai(bundle, tmp_path / "cohort" / "a_ct.nii.gz", tmp_path)


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a SegResNet whose folds were trained; don't change it."""
    folder = tmp_path_factory.mktemp("folds")
    medunet.init(write_cohort(folder / "cohort"), folder / "b", network=SEGRESNET, budget_minutes=0.2)
    for fold in (0, 1):
        pin_schedule(folder / "b", 2, 10, fold)
    made = medunet.train_folds(folder / "b")
    assert len(made.weights) == 2
    return folder / "b"


def test_its_folds_make_an_ensemble_with_scores(folds: Path, tmp_path: Path) -> None:
    metadata = read_json(folds / "configs" / "metadata.json")
    assert sorted(metadata["fold_weights"]) == ["model_fold0.pt", "model_fold1.pt"]
    result = medunet.evaluate(folds, output=tmp_path / "scores")
    assert {score.case for score in result.scores.of_first()} == {*"abcd"}
    assert "medunet" in result.table
    compare_with_monai(folds, folds.with_name("cohort") / "a_ct.nii.gz", tmp_path)


@pytest.mark.parametrize("labels", [["organ", "another"], pytest.param(["another"], marks=pytest.mark.slow)])
def test_another_bundle_goes_on_from_it(labels: list[str], folds: Path, tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "cohort", labels, patients="efgh")
    bundle = tmp_path / "b"
    plan = medunet.init(cohort, bundle, source=folds, budget_minutes=0.2)
    assert (plan.source, plan.network.describe()) == ("b", "3D SegResNet")
    assert plan.network.given is not None
    assert plan.network.given.definition["out_channels"] == len(labels) + 1
    theirs = torch.load(folds / "models" / "model_fold0.pt", weights_only=True)
    start = torch.load(bundle / "work" / "start.pt", weights_only=True)
    assert torch.equal(start["convInit.conv.weight"], theirs["convInit.conv.weight"])
    train(bundle, steps=10)
    mask = compare_with_monai(bundle, tmp_path / "cohort" / "e_ct.nii.gz", tmp_path)
    assert mask.table.names == tuple(labels)
    assert medunet.plan(bundle, budget_minutes=0.3).network == plan.network


def test_slices(tmp_path: Path) -> None:
    cohort, bundle = write_cohort(tmp_path / "cohort"), tmp_path / "b"
    plan = medunet.init(cohort, bundle, network=SEGRESNET, dims=2, budget_minutes=0.2)
    assert (plan.network.describe(), plan.window.patch[2]) == ("2D SegResNet", 1)
    train(bundle, steps=10)
    compare_with_monai(bundle, tmp_path / "cohort" / "a_ct.nii.gz", tmp_path)
    assert medunet.evaluate(bundle, output=tmp_path / "scores").scores.of_first()


@pytest.mark.slow
def test_pictures(tmp_path: Path) -> None:
    cohort, bundle = write_pictures(tmp_path / "cohort"), tmp_path / "b"
    plan = medunet.init(cohort, bundle, network=SEGRESNET, budget_minutes=0.2)
    assert plan.network.given is not None
    assert (plan.network.dims, plan.network.given.definition["in_channels"]) == (2, 3)
    train(bundle, steps=10)
    compare_with_monai(bundle, cohort / "images" / "a.png", tmp_path)


@pytest.fixture(scope="module")
def _planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planned")
    medunet.init(write_cohort(folder / "cohort"), folder / "b", budget_minutes=0.2)
    return folder / "b"


@pytest.fixture
def planned(_planned: Path, tmp_path: Path) -> Path:
    """A bundle that isn't trained, a copy for each test."""
    return Path(shutil.copytree(_planned, tmp_path / "b"))


def test_parts_are_swapped_by_hand_and_trained(planned: Path) -> None:
    own = {"filters": [], "strides": [], "kernels": [], "heads": 0}
    edit(planned, "network", **own, given={"definition": {**SEGRESNET, "dropout_prob": 0.1}})
    edit(planned, "window", patch=[16, 16, 8])
    smooth = {"_target_": "RandGaussianSmoothd", "keys": ["image"], "prob": 0.5}
    edit(planned, "training", loss={"_target_": "DiceFocalLoss", "gamma": 3.0}, augmentation=[smooth])
    plan = medunet.plan(planned, write=True)
    assert plan.network.given is not None
    assert plan.network.given.definition["out_channels"] == 2
    assert plan.network.given.patch_bytes > 0
    config = read_json(planned / "configs" / "train.json")
    assert config["loss"]["loss"]["to_onehot_y"] is True
    assert config["train"]["dataset"]["augmentation"][-1] == smooth
    train(planned, epochs=1)
    assert (planned / "models" / "model.pt").is_file()


def test_another_plan_keeps_them(planned: Path) -> None:
    medunet.plan(planned, network=SEGRESNET, write=True)
    edit(planned, "training", loss={"_target_": "DiceLoss"})
    plan = medunet.plan(planned, budget_minutes=0.3)
    assert plan.network.describe() == "3D SegResNet"
    assert plan.training.loss == {"_target_": "DiceLoss"}
    assert medunet.plan(planned, network={"_target_": "own"}).network.given is None


WRONG: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "class": ({"network": {"_target_": "Unknown"}}, "'Unknown', no network of MONAI's"),
    "argument": ({"network": {**SEGRESNET, "filters": 8}}, "has no argument 'filters'"),
    "outputs": ({"network": {**SEGRESNET, "out_channels": 5}}, "out_channels of SegResNet is 5, .* make 2"),
    "code": ({"network": {**SEGRESNET, "act": {"_target_": "os.system"}}}, "no network of MONAI's"),
    "patch": (
        {"network": SEGRESNET, "window": {"patch": [16, 15, 8]}},
        "SegResNet fails on patches of 16 × 15 × 8 .*; take multiples of 2",
    ),
    "loss": ({"training": {"loss": {"_target_": "DiceLos"}}}, "'DiceLos', no loss of MONAI's"),
    "loss's argument": ({"training": {"loss": {"_target_": "DiceLoss", "gama": 1}}}, "has no argument 'gama'"),
    "loss's labels": ({"training": {"loss": {"_target_": "DiceLoss", "softmax": False}}}, "softmax of DiceLoss"),
    "loss's batch": ({"training": {"loss": {"_target_": "ContrastiveLoss"}}}, "ContrastiveLoss fails on a batch"),
    "transform": ({"training": {"augmentation": [{"_target_": "os.system"}]}}, "no transform of MONAI's"),
    "size": (
        {"training": {"augmentation": [{"_target_": "SpatialPadd", "keys": ["image"], "spatial_size": 99}]}},
        "take a transform that keeps the size",
    ),
    "transform's argument": ({"training": {"augmentation": [{"_target_": "Flipd"}]}}, "missing .* 'keys'"),
    "labels": (
        {"training": {"augmentation": [{"_target_": "GaussianSmoothd", "keys": ["label"], "sigma": 1.0}]}},
        "between those of labels",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_one_sentence(name: str, planned: Path) -> None:
    edits, said = WRONG[name]
    own = {"filters": [], "strides": [], "kernels": [], "heads": 0}
    for group, values in edits.items():
        edit(planned, group, **({**own, "given": {"definition": values}} if group == "network" else values))
    with pytest.raises(BundleError, match=said):
        medunet.plan(planned, write=True)


def test_heads_of_a_network_that_has_no_place_for_them(planned: Path) -> None:
    edit(planned, "network", filters=[], strides=[], kernels=[], heads=2, given={"definition": SEGRESNET})
    with pytest.raises(RecordError, match="a segresnet has no place for heads of deep supervision, write 0"):
        medunet.plan(planned)
