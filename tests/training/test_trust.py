"""A stranger's bundle runs nothing that medunet doesn't write itself, unless its user trusts it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plans import make_tiny_bundle, pin_schedule

import medunet
from medunet.bundle import make_recipe, open_bundle
from medunet.bundle.earlier import TRAINING_IMPORTS
from medunet.errors import BundleError
from medunet.records import read_json, write_json
from medunet.training import CONFIGS
from medunet.training.trust import check_configs

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
EVIL = "$__import__('os').system('touch {}')"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    folder = make_tiny_bundle(tmp_path / "tiny", "ab")
    pin_schedule(folder, epochs=1, steps_per_epoch=1)
    return folder


def edit(folder: Path, name: str, change: Callable[[Json], object]) -> None:
    path = folder / "configs" / name
    content = read_json(path)
    change(content)
    write_json(path, content)


def check(folder: Path, *, trust: bool = False, more: tuple[str, ...] = ()) -> None:
    bundle = open_bundle(folder)
    check_configs(bundle, [folder / "configs" / name for name in ("train.json", *more)], trust=trust)


def put(*path: Any) -> Callable[[Json], None]:
    *parents, last, value = path

    def change(content: Json) -> None:
        place: Any = content
        for parent in parents:
            place = place[parent]
        if isinstance(place, list):
            place.insert(last, value)
        else:
            place[last] = value

    return change


EDITS: dict[str, tuple[str, Callable[[Json], None], str]] = {
    "initialize": ("train.json", put("initialize", 0, EVIL), r"train\.json: the key 'initialize\.0' holds the expr"),
    "imports": ("train.json", put("imports", 0, "$import antigravity"), r"the key 'imports\.0' holds"),
    "nested": ("train.json", put("loss", "loss", "batch", EVIL), r"the key 'loss\.loss\.batch' holds"),
    "new key": ("train.json", put("extra", [EVIL]), r"the key 'extra\.0' holds"),
    "macro": ("train.json", put("loss", "%/etc/passwd.json"), "the key 'loss' holds the expression '%/etc"),
    "metadata": ("metadata.json", put("extra", "$import antigravity"), r"metadata\.json: the key 'extra' holds"),
    "disabled": ("train.json", put("loss", "_disabled_", EVIL), r"the key 'loss\._disabled_' holds"),
    "requires": ("train.json", put("loss", "_requires_", [EVIL]), r"the key 'loss\._requires_\.0' holds"),
    "debugger": ("train.json", put("loss", "_mode_", "debug"), r"the key 'loss\._mode_' isn't written"),
    **{
        f"target {name}": ("train.json", put("loss", {"_target_": name}), rf"the key 'loss\._target_' is '{name}'")
        for name in (
            *("os.system", "torch.os.system", "subprocess.Popen", "builtins.exec", "monai.bundle.run", "run"),
            *("torch.hub.load", "torch.load", "torch.utils.cpp_extension.load", "monai.transforms.LoadImaged"),
            *("LoadImaged", "SaveImage", "PerceptualLoss", "medunet.files.hash_file"),
        )
    },
}


@pytest.mark.parametrize("name", EDITS)
def test_what_medunet_does_not_write_is_refused_by_file_and_key(tiny: Path, tmp_path: Path, name: str) -> None:
    file, change, said = EDITS[name]
    edit(tiny, file, change)
    with pytest.raises(BundleError, match=said) as caught:
        medunet.train(tiny)
    assert caught.value.code == "bundle-untrusted"
    assert "--trust" in str(caught.value)
    assert not (tiny / "work" / "cache").exists()


def test_nothing_is_run_but_with_trust(tiny: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    edit(tiny, "train.json", put("initialize", 0, EVIL.format(mark)))
    edit(tiny, "evaluate.json", put("initialize", 0, EVIL.format(mark)))
    (tiny / "configs" / "train.yaml").write_text(f'initialize: ["{EVIL.format(mark)}"]\n')
    handler = f"class=FileHandler\nargs=('{mark}',)"
    (tiny / "configs" / "logging.conf").write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=file\n[formatters]\nkeys=\n"
        f"[logger_root]\nhandlers=file\nlevel=INFO\n[handler_file]\n{handler}\n"
    )
    with pytest.raises(BundleError, match=r"initialize\.0"):
        medunet.train(tiny)
    with pytest.raises(BundleError, match=r"initialize\.0"):
        medunet.train_folds(tiny)
    assert not mark.exists()
    assert medunet.train(tiny, trust=True).is_file()
    assert mark.exists()
    mark.unlink()
    scan = next(tiny.with_name("tiny.scans").glob("*_ct.nii.gz"))
    assert medunet.predict(tiny, scan)
    assert medunet.evaluate(tiny, output=tmp_path / "scores")
    assert not mark.exists()
    edit(tiny, "inference.json", put("initialize", 0, EVIL.format(mark)))
    for run in (lambda: medunet.predict(tiny, scan), lambda: medunet.evaluate(tiny, output=tmp_path / "more")):
        with pytest.raises(BundleError, match=r"inference\.json: the key 'initialize\.0' holds .*--trust"):
            run()
    assert medunet.predict(tiny, scan, trust=True)
    assert not mark.exists(), "of a trusted bundle too, only what a prediction needs is evaluated"


def test_a_trusted_inference_json_predicts_as_it_says(tiny: Path, tmp_path: Path) -> None:
    pin_schedule(tiny, epochs=2, steps_per_epoch=20)
    medunet.train(tiny)
    scan = next(tiny.with_name("tiny.scans").glob("*_ct.nii.gz"))
    (before,) = medunet.predict(tiny, scan, output=tmp_path / "before")
    filters = read_json(tiny / "configs" / "inference.json")["network_def"]["filters"]
    edit(tiny, "inference.json", put("network_def", "filters", f"$[int(np.exp2(n)) for n in {[2, 3, 4]}]"))
    assert filters == [4, 8, 16]
    with pytest.raises(BundleError, match=r"the key 'network_def\.filters' holds .*--trust"):
        medunet.predict(tiny, scan)
    (same,) = medunet.predict(tiny, scan, trust=True)
    assert same.volumes == pytest.approx(before.volumes)
    brighter = {"_target_": "Lambdad", "keys": ["image"], "func": "$lambda x: x + 5000"}
    edit(tiny, "inference.json", put("preprocessing", "transforms", 3, brighter))
    (other,) = medunet.predict(tiny, scan, trust=True, output=tmp_path / "other")
    assert other.volumes != before.volumes
    (kept,) = medunet.predict(tiny, scan, trust=True, output=tmp_path / "other")
    assert kept.kept
    edit(tiny, "inference.json", put("network_def", "filters", "$1 / 0"))
    with pytest.raises(BundleError, match=r"MONAI can't evaluate it \(ZeroDivisionError"):
        medunet.predict(tiny, scan, trust=True)


def test_arguments_that_run_code_are_no_part_of_a_chain(tiny: Path, tmp_path: Path) -> None:
    """MONAI's LoadImaged calls whatever `reader` names, and its parser takes any function of MONAI's by its name."""
    steps: list[Json] = [
        {
            "_target_": "LoadImaged",
            "keys": ["image"],
            "reader": "subprocess.getoutput",
            "cmd": f"touch {tmp_path}/mark",
        },
        {"_target_": "run", "config_file": "evil.json"},
        {"_target_": "os.system", "command": "true"},
        {"_target_": "SaveImaged", "keys": ["image"], "writer": "os.system"},
    ]
    before = read_json(tiny / "configs" / "inference.json")
    for step in steps:
        edit(tiny, "inference.json", put("preprocessing", "transforms", 0, step))
        with pytest.raises(BundleError, match=r"the key 'preprocessing\.transforms\.0' is") as caught:
            make_recipe(open_bundle(tiny))
        assert caught.value.code == "bundle-untrusted"
        write_json(tiny / "configs" / "inference.json", before)
    assert not (tmp_path / "mark").exists()


def other_transform(content: Json) -> None:
    content["train"]["dataset"]["augmentation"].append({"_target_": "RandGaussianSmoothd", "keys": ["image"]})


@pytest.mark.parametrize(
    "change",
    [
        put("budget", 3),
        put("optimizer", {"_target_": "torch.optim.Adam", "params": "$@network.parameters()", "lr": 0.1}),
        put("loss", "loss", {"_target_": "monai.losses.DiceLoss", "softmax": True}),
        put("loss", "loss", {"_target_": "DiceFocalLoss", "softmax": True, "_desc_": "mine"}),
        put("imports", TRAINING_IMPORTS),
        other_transform,
    ],
)
def test_edits_with_classes_that_only_compute_are_taken(tiny: Path, change: Callable[[Json], None]) -> None:
    edit(tiny, "train.json", change)
    check(tiny)


def test_a_plan_that_was_edited_since_does_not_make_a_bundle_a_strangers(tiny: Path) -> None:
    edit(tiny, "plan.json", put("training", "optimizer", "sgd"))
    check(tiny)


@pytest.mark.parametrize("name", ["sts_petct_unet3d", "nuclei_unet2d"])
def test_shipped_bundles_are_trusted(name: str, caplog: pytest.LogCaptureFixture) -> None:
    check(ROOT / "bundles" / name)
    check(ROOT / "bundles" / name, more=("multi_gpu_train.json",))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert set(CONFIGS) == {"train.json", "multi_gpu_train.json"}


WRONG = {
    r"the key 'network_def\._target_' is 'DynUNett', which doesn't exist": put("network_def", "_target_", "DynUNett"),
    r"the key 'network_def\._target_' is 'monai\.nets\.X', which": put("network_def", "_target_", "monai.nets.X"),
    r"the key 'network_def\.filterz' is no argument of DynUNet; did you mean 'filters'": put(
        "network_def", "filterz", 1
    ),
    r"the key 'network_def' can't be built \(.*": put("network_def", "filters", [4]),
    r"the key 'network_def' can't be built": put("network_def", "norm_name", "nonsense"),
    r"the key 'optimizer': torch\.optim\.Adam is missing a required argument: 'params'": put(
        "optimizer", {"_target_": "torch.optim.Adam", "lr": 0.1}
    ),
    r"the key 'train\.trainer\.max_epoch' is no argument of SupervisedTrainer": put("train", "trainer", "max_epoch", 3),
}


@pytest.mark.parametrize("said", WRONG)
@pytest.mark.parametrize("trust", [False, True])
def test_what_does_not_exist_is_one_sentence_before_anything_is_prepared(tiny: Path, said: str, trust: bool) -> None:
    edit(tiny, "train.json", WRONG[said])
    with pytest.raises(BundleError, match=rf"train\.json: {said}"):
        medunet.train(tiny, trust=trust)
    assert not (tiny / "work" / "cache").exists()
