import json
import shutil
from pathlib import Path

import pytest
import torch
from plans import pin_schedule, stop_training

import medunet
from medunet.errors import OutputExistsError
from medunet.records import read_json, write_json


def test_a_trained_bundle_says_how_it_was_trained(trained: Path) -> None:
    metadata = read_json(trained / "configs" / "metadata.json")
    assert metadata["training"]["steps"] > 10
    assert metadata["training"]["peak_memory_gib"]["train"] >= metadata["training"]["peak_memory_gib"]["prepare"] > 0.1
    assert len(metadata["weights_sha256"]) == 64
    state = torch.load(trained / "models" / "model.pt", weights_only=True)
    assert not any("head" in key for key in state)
    assert all(value.device.type == "cpu" for value in state.values())
    with pytest.raises(OutputExistsError, match="add --restart"):
        medunet.train(trained)


def train_a_little(untrained: Path, target: Path, *, stop_after: int | None) -> dict[str, torch.Tensor]:
    """Three epochs of four steps, in one go or stopped after one and resumed with another number of workers."""
    bundle = Path(shutil.copytree(untrained, target))
    schedule = {"epochs": 3, "steps_per_epoch": 4, "validation_interval": 3, "budget_seconds": 600.0}
    rates = {"seconds_per_step": 1.0, "loader_patches_per_second": 1.0, "network_patches_per_second": 1.0}
    path = bundle / "work" / "fold0" / "schedule.json"
    write_json(path, {**schedule, **rates})
    if stop_after is not None:
        config = bundle / "configs" / "train.json"
        original = config.read_text()
        content = json.loads(original)
        content["train"]["trainer"]["max_epochs"] = stop_after
        content["finalize"] = []
        config.write_text(json.dumps(content))
        medunet.train(bundle)
        content = json.loads(original)
        content["train"]["dataloader"]["num_workers"] = 2
        config.write_text(json.dumps(content))
    weights = medunet.train(bundle)
    state: dict[str, torch.Tensor] = torch.load(weights, weights_only=True)
    return state


def test_a_resumed_run_ends_bit_identical(untrained: Path, tmp_path: Path) -> None:
    straight = train_a_little(untrained, tmp_path / "a", stop_after=None)
    resumed = train_a_little(untrained, tmp_path / "b", stop_after=1)
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


@pytest.mark.parametrize(("loss", "optimizer"), [("dice_focal", "sgd"), ("tversky_ce", "adamw")])
def test_an_edited_plan_is_trained_and_resumed(untrained: Path, tmp_path: Path, loss: str, optimizer: str) -> None:
    path = untrained / "configs" / "plan.json"
    edited = {"loss": loss, "optimizer": optimizer, "learning_rate": 0.003, "longest_gradient": 12.0}
    content = read_json(path)
    content["network"]["residual"] = True
    write_json(path, {**content, **edited})
    medunet.plan(untrained, write=True)
    straight = train_a_little(untrained, tmp_path / "a", stop_after=None)
    resumed = train_a_little(untrained, tmp_path / "b", stop_after=2)
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)
    assert any("conv3" in key for key in straight)
    assert any(
        "GradientClip" in step["_target_"] for step in read_json(tmp_path / "a/configs/train.json")["train"]["handlers"]
    )


def test_restart_keeps_the_older_run(untrained: Path, tmp_path: Path) -> None:
    train_a_little(untrained, tmp_path / "a", stop_after=None)
    bundle = tmp_path / "a"
    medunet.train(bundle, budget_minutes=0.02, restart=True)
    assert (bundle / "models" / "model.pt").is_file()
    assert (bundle / "work" / "fold0.before-1" / "checkpoint-00003.pt").is_file()
    assert list((bundle / "work" / "fold0").glob("checkpoint-*.pt"))


def test_a_signal_to_all_processes_leaves_a_model(untrained: Path) -> None:
    pin_schedule(untrained, epochs=500, steps_per_epoch=4)
    code, output = stop_training(untrained, limit=120)
    assert code == 0, output
    assert "Traceback" not in output
    assert "Logging file" not in output, "MONAI's own lines are none of the user's"
    assert (untrained / "models" / "model.pt").is_file()
