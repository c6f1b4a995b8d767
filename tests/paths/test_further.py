"""Bundles of others that are trained further: `init --from`, training, and MONAI alone agrees with predict."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cohorts import write_cohort, write_pictures
from plans import pin_schedule
from stock import in_float32, run_stock
from zoo import UNET, oriented, patches, write_random_weights, write_zoo_bundle
from zoo_styles import FIRST, JOIN, LOAD, SCALE_ALL, SEGRESNET, SIGMOID, STYLES, SWIN

import medunet
from medunet.records import read_json
from medunet.training import RunFolder

DYNUNET = {
    **{"_target_": "DynUNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "filters": [4, 8, 8]},
    **{"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]},
    **{"norm_name": "batch", "deep_supervision": True, "deep_supr_num": 1},
}
DEEP = {
    "_target_": "SegResNetDS",
    "init_filters": 8,
    "blocks_down": [1, 1, 1],
    "in_channels": 1,
    "out_channels": 2,
    "dsdepth": 2,
}
RESIZED = {"_target_": "Resized", "keys": "image", "spatial_size": [48, 32], "mode": "bilinear"}
CASES: dict[str, dict[str, Any]] = {
    "spleen": {"network": {**UNET, "norm": "batch"}},
    "whole body": {**STYLES["whole body"], "labels": ["organ 7", "organ 99"]},
    "prostate": {"network": {**UNET, "out_channels": 3, "act": "prelu"}, "labels": ["organ 2", "a new one", "organ 1"]},
    "short axis": {**STYLES["short axis"], "labels": ["organ 1", "organ 2", "organ 3"]},
    "swin": {"network": SWIN, "inferer": {**patches(64), "roi_size": [64, 64, 32]}, "labels": ["organ 1"]},
    "cropped": STYLES["cropped"],
    "padded, whole": {
        "chain": oriented((3.0, 3.0, 4.0), {"_target_": "DivisiblePadd", "keys": "image", "k": 4}),
        "inferer": {"_target_": "SimpleInferer"},
    },
    "deep supervision": {"network": DYNUNET},
    "own heads": {"network": DEEP},
}


def make_zoo(folder: Path, **parts: Any) -> Path:
    zoo = write_zoo_bundle(folder, **parts)
    write_random_weights(zoo, seed=2)
    return zoo


def train(bundle: Path, **how: Any) -> None:
    pin_schedule(bundle, epochs=2, steps_per_epoch=2, fold=how.get("fold", 0))
    medunet.train(bundle, **how)


# One of them is tried each time; all are a proof of minutes.
@pytest.mark.parametrize(
    "name", [name if not number else pytest.param(name, marks=pytest.mark.slow) for number, name in enumerate(CASES)]
)
def test_it_is_trained_and_monai_alone_agrees(name: str, tmp_path: Path) -> None:
    parts = dict(CASES[name])
    labels = parts.pop("labels", ["organ 1"])
    cohort = write_cohort(tmp_path / "cohort", labels)
    zoo = make_zoo(tmp_path / "zoo", **parts)
    plan = medunet.init(cohort, tmp_path / "b", source=zoo, budget_minutes=0.2)
    assert plan.source == "zoo"
    assert plan.network.given is not None
    assert plan.network.given.definition["out_channels"] == len(labels) + 1
    train(tmp_path / "b")
    scan = tmp_path / "scan" / "a.nii.gz"
    scan.parent.mkdir()
    shutil.copy(tmp_path / "cohort" / "a_ct.nii.gz", scan)
    with in_float32():
        (ours,) = medunet.predict(tmp_path / "b", scan)
    theirs = run_stock(tmp_path / "b", scan.parent, tmp_path / "out")
    assert theirs.shape == ours.mask.voxels.shape
    assert (ours.mask.voxels != theirs).mean() <= 1e-3
    assert len(np.unique(theirs)) > 1


@pytest.mark.slow
def test_files_of_several_channels_are_joined_and_brought_back(tmp_path: Path) -> None:
    """Of brats: four files in one key, moved after they were joined; its lambda of regions isn't needed."""
    names = ("t1c", "t1", "t2", "flair")
    cohort = write_cohort(tmp_path / "cohort", ["core", "whole"], names, "MR")
    chain = [LOAD, *oriented((3.0, 3.0, 3.0))[2:4], {**SCALE_ALL, "channel_wise": True}]
    post = [SIGMOID, {"_target_": "Lambdad", "keys": "pred", "func": JOIN}]
    network = {**SEGRESNET, "in_channels": 4, "out_channels": 3, "dropout_prob": None}
    zoo = make_zoo(tmp_path / "zoo", network=network, chain=chain, post=post)
    bundle = tmp_path / "b"
    plan = medunet.init(cohort, bundle, source=zoo, budget_minutes=0.2)
    config = read_json(bundle / "configs" / "inference.json")
    (restore,) = [step for step in config["postprocessing"]["transforms"] if step["_target_"] == "Invertd"]
    assert restore["orig_keys"] == "image"
    assert plan.task.channels == names
    train(bundle)
    images = tmp_path / "scan"
    images.mkdir()
    for name in names:
        shutil.copy(tmp_path / "cohort" / f"a_{name}.nii.gz", images / f"a_{name}.nii.gz")
    with in_float32():
        (ours,) = medunet.predict(bundle, {name: images / f"a_{name}.nii.gz" for name in names})
    theirs = run_stock(bundle, images, tmp_path / "out")
    assert (ours.mask.voxels != theirs).mean() <= 1e-3
    assert len(np.unique(theirs)) > 1


@pytest.mark.slow
def test_pictures_that_are_resized(tmp_path: Path) -> None:
    cohort = write_pictures(tmp_path / "cohort")
    network = {**UNET, "spatial_dims": 2, "in_channels": 3}
    chain = [LOAD, {**FIRST, "channel_dim": -1}, RESIZED, SCALE_ALL]
    zoo = make_zoo(tmp_path / "zoo", network=network, chain=chain, inferer={"_target_": "SimpleInferer"})
    plan = medunet.init(cohort, tmp_path / "b", source=zoo, budget_minutes=0.2)
    assert plan.window.patch == (48, 32, 1)
    train(tmp_path / "b")
    (tmp_path / "scan").mkdir()
    shutil.copy(tmp_path / "cohort" / "images" / "a.png", tmp_path / "scan")
    with in_float32():
        (ours,) = medunet.predict(tmp_path / "b", tmp_path / "scan" / "a.png")
    theirs = run_stock(tmp_path / "b", tmp_path / "scan", tmp_path / "out")
    assert (ours.mask.voxels[..., 0] != theirs).mean() <= 1e-3
    assert len(np.unique(theirs)) > 1


@pytest.mark.slow
def test_resume_folds_and_scores(tmp_path: Path) -> None:
    """A run that was stopped ends with the weights of one that wasn't, and all folds make an ensemble."""
    cohort = write_cohort(tmp_path / "cohort")
    zoo = make_zoo(tmp_path / "zoo", network={**SEGRESNET, "out_channels": 2})
    bundle, other = tmp_path / "b", tmp_path / "other"
    medunet.init(cohort, bundle, source=zoo, budget_minutes=0.2)
    shutil.copytree(bundle, other)
    for fold in (0, 1):
        pin_schedule(bundle, 3, 2, fold)
    pin_schedule(other, 3, 2)
    first = medunet.train_folds(bundle)
    assert len(first.weights) == 2
    start = read_json(bundle / "work" / "fold1" / "start.json")
    assert (start["bundle"], start["left"]) == ("zoo", [])
    stop_after(other, 2)
    medunet.train(other)
    one, two = (torch.load(folder / "work" / "fold0" / "model.pt") for folder in (bundle, other))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert "medunet" in medunet.evaluate(bundle).table
    scan = tmp_path / "scan" / "a.nii.gz"
    scan.parent.mkdir()
    shutil.copy(tmp_path / "cohort" / "a_ct.nii.gz", scan)
    with in_float32():
        (ours,) = medunet.predict(bundle, scan)
    theirs = run_stock(bundle, scan.parent, tmp_path / "out")
    assert (ours.mask.voxels != theirs).mean() <= 1e-3


def stop_after(bundle: Path, epochs: int) -> None:
    """Train until a signal comes at the end of an epoch."""
    save = RunFolder.save_checkpoint

    def stop(run: RunFolder, epoch: int, state: Any) -> None:
        save(run, epoch, state)
        if epoch == epochs:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "save_checkpoint", stop)
        medunet.train(bundle)


def test_a_bundle_of_medunet_goes_on(trained: Path, tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "cohort", ["lesion", "organ"])
    plan = medunet.init(cohort, tmp_path / "b", source=trained, budget_minutes=0.2)
    before = read_json(trained / "configs" / "plan.json")
    assert plan.network.filters == tuple(before["network"]["filters"])
    assert plan.network.given is None
    assert list(plan.grid.spacing_mm) == before["grid"]["spacing_mm"]
    assert plan.grid.normalization["ct"].model_dump() == before["grid"]["normalization"]["ct"]
    assert plan.window.patch == tuple(before["window"]["patch"])
    assert "output_block.conv.conv.weight: 1 of 3 outputs are of other labels" in plan.reasons["source"]
    theirs = torch.load(trained / "models" / "model.pt")
    ours = torch.load(tmp_path / "b" / "work" / "start.pt")
    name = "output_block.conv.conv.weight"
    assert torch.equal(ours[name][:2], theirs[name])
    again = medunet.plan(tmp_path / "b", budget_minutes=1.0, write=True)
    assert (again.source, again.network) == (plan.source, plan.network)
    train(tmp_path / "b")
    (found,) = medunet.predict(tmp_path / "b", tmp_path / "cohort" / "a_ct.nii.gz")
    assert found.mask.table.names == ("lesion", "organ")
