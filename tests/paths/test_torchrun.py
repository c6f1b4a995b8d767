"""Two processes of torchrun train as one does: losses, Dice and weights, stopped and gone on with too."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from plans import make_test_plan, pin_schedule

import medunet
from medunet.bundle import open_bundle, write_bundle
from medunet.cohort import find_cohort
from medunet.measuring import measure_cohort
from medunet.records import read_json, write_json
from medunet.training import CONFIGS, make_train_config

EPOCHS, STEPS = 4, 3
SECONDS = 900
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")


@pytest.fixture(scope="module")
def untrained_balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of balls in noise, one of them alone in its fold; don't change it."""
    folder = tmp_path_factory.mktemp("balls")
    draw = np.random.default_rng(0)
    axes = np.indices((20, 20, 20))
    for name in ("imagesTr", "labelsTr"):
        (folder / "cohort" / name).mkdir(parents=True)
    for number in range(5):
        centre = draw.uniform(7, 13, (3, 1, 1, 1))
        ball = (((axes - centre) ** 2).sum(axis=0) < 25).astype(np.uint8)
        image = (60 + 200 * ball + draw.normal(0, 20, ball.shape)).astype(np.int16)
        affine = np.diag([3.0, 3.0, 5.0, 1.0])
        nib.save(nib.Nifti1Image(image, affine), folder / "cohort" / "imagesTr" / f"ball{number}_0000.nii.gz")
        nib.save(nib.Nifti1Image(ball, affine), folder / "cohort" / "labelsTr" / f"ball{number}.nii.gz")
    write_json(
        folder / "cohort" / "dataset.json",
        {
            "channel_names": {"0": "CT"},
            "labels": {"background": 0, "lesion": 1},
            "numTraining": 5,
            "file_ending": ".nii.gz",
        },
    )
    folds = (("ball0", "ball1", "ball2"), ("ball3",), ("ball4",))
    cohort = find_cohort(folder / "cohort").model_copy(update={"folds": folds})
    write_bundle(folder / "bundle", make_test_plan(), measure_cohort(cohort), cohort, CONFIGS)
    pin_schedule(folder / "bundle", EPOCHS, STEPS)
    schedule = folder / "bundle" / "work" / "fold0" / "schedule.json"
    write_json(schedule, {**read_json(schedule), "validation_interval": 2})
    # Orthogonalized steps make the rounding of small gradients as large as the large ones, and so does AdamW with its
    # own epsilon, so neither is taken where one process is compared with two. In bf16 the rounding of a patch depends
    # on what else is in its batch, so all is float32.
    train = folder / "bundle" / "configs" / "train.json"
    adamw = {"_target_": "torch.optim.AdamW", "params": "$@network.parameters()", "lr": 0.001, "eps": 1e-3}
    config = {**read_json(train), "optimizer": adamw}
    config["train"]["inferer"] = {"_target_": "SimpleInferer"}
    config["validate"]["inferer"] = config["validate"]["inferer"]["inferer"]
    write_json(train, config)
    return folder / "bundle"


@pytest.fixture
def bundle(untrained_balls: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untrained_balls, tmp_path / "bundle"))


@pytest.fixture(scope="module")
def alone(untrained_balls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, trained by one process; don't change it."""
    bundle = Path(shutil.copytree(untrained_balls, tmp_path_factory.mktemp("alone") / "bundle"))
    medunet.train(bundle)
    return bundle


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [*TORCHRUN, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(run: subprocess.Popen[str]) -> str:
    output, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, output
    return output


def wait_for(path: Path, run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read_weights(bundle: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(bundle / "models" / "model.pt", weights_only=True)
    return state


def read_history(bundle: Path) -> list[dict[str, str]]:
    with (bundle / "work" / "fold0" / "history.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def list_ranks(run: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    return [int(child) for child in children if b"bundle" in Path(f"/proc/{child}/cmdline").read_bytes()]


def assert_alike(first: Path, second: Path) -> None:
    """Losses within 1e-5, the last decimal of the table; the same patches; Dice and weights but for rounding."""
    for row, other in zip(read_history(first), read_history(second), strict=True):
        assert float(row["loss"]) == pytest.approx(float(other["loss"]), abs=1.1e-5)
        assert float(row["dice"] or 0) == pytest.approx(float(other["dice"] or 0), abs=1e-3)
        assert {**row, "loss": "", "dice": ""} == {**other, "loss": "", "dice": ""}
    states = zip(read_weights(first).values(), read_weights(second).values(), strict=True)
    assert all(torch.allclose(value, other, atol=1e-3) for value, other in states)


def test_two_processes_train_what_one_does_and_end_with_the_same_weights(alone: Path, bundle: Path) -> None:
    configs = [str(bundle / "configs" / name) for name in ("train.json", "multi_gpu_train.json")]
    keep = "$torch.save(@network.state_dict(), @bundle_root + '/rank' + os.environ['RANK'])"
    finalize = [keep, *read_json(bundle / "configs" / "multi_gpu_train.json")["finalize"]]
    finish(start("monai.bundle", "run", "--config_file", str(configs), "--finalize", str(finalize)))
    assert_alike(alone, bundle)
    first, second = (torch.load(bundle / f"rank{rank}", weights_only=True) for rank in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert {key.removeprefix("network.") for key in first if "heads" not in key} == read_weights(alone).keys()


def test_a_killed_process_ends_all_and_the_run_goes_on_bit_for_bit(bundle: Path, tmp_path: Path) -> None:
    write_json(bundle / "configs" / "train.json", make_train_config(open_bundle(bundle).plan))
    straight = Path(shutil.copytree(bundle, tmp_path / "straight"))
    output = finish(start("medunet", "train", straight))
    assert output.count("next: medunet evaluate") == 1
    run = start("medunet", "train", bundle)
    wait_for(bundle / "work" / "fold0" / "checkpoint-00001.pt", run)
    os.kill(list_ranks(run)[1], signal.SIGKILL)
    run.communicate(timeout=SECONDS)
    assert run.returncode != 0
    assert not (bundle / "work" / "fold0" / "finished").exists()
    finish(start("medunet", "train", bundle))
    resumed, whole = read_weights(bundle), read_weights(straight)
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)


def test_sigterm_ends_all_after_an_epoch_and_one_process_goes_on(alone: Path, bundle: Path) -> None:
    run = start("medunet", "train", bundle)
    wait_for(bundle / "work" / "fold0" / "checkpoint-00001.pt", run)
    run.send_signal(signal.SIGTERM)
    output, _ = run.communicate(timeout=SECONDS)
    assert "SIGTERM: ends after this epoch" in output
    assert "Connection closed" not in output
    assert read_weights(bundle).keys() == read_weights(alone).keys()
    assert not (bundle / "work" / "fold0" / "finished").exists()
    medunet.train(bundle)
    assert_alike(alone, bundle)


def test_what_stops_one_process_is_said_in_one_sentence(bundle: Path) -> None:
    medunet.train(bundle, fold=1, budget_minutes=0.01)
    for path in bundle.glob("work/cache/*/image.npy"):
        image = np.load(path)
        image[:] = np.nan
        np.save(path, image)
    run = start("medunet", "train", bundle)
    output, _ = run.communicate(timeout=SECONDS)
    assert run.returncode != 0
    assert re.search(r"^medunet: ball\d: its patch holds values that are no numbers; check the case\.$", output, re.M)
