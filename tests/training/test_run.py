import errno
import gc
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from plans import make_tiny_bundle, pin_schedule, stop_training

import medunet
from medunet.bundle import open_bundle
from medunet.errors import OutputExistsError, ResourceError
from medunet.records import read_json, write_json
from medunet.training import State, find_run
from medunet.training.run import find_full_disk, warn_of_budget


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
    content["training"] |= edited
    write_json(path, content)
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


FULL = "No space left on device"
LIMITED = (
    "import resource, sys; from medunet.cli import main; "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2); main()"
)
"""The command line in a process whose files can't grow beyond so many bytes."""


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundles = [make_tiny_bundle(tmp_path / name / "bundle", "abcd") for name in "ab"]
    for bundle in bundles:
        pin_schedule(bundle, epochs=3, steps_per_epoch=2)
    straight = torch.load(medunet.train(bundles[0]), weights_only=True)
    bundle, save = bundles[1], torch.save
    run = find_run(open_bundle(bundle), 0)

    def save_once(value: Any, stream: Any) -> None:
        if run.checkpoint(1).exists():
            raise OSError(errno.ENOSPC, FULL)
        save(value, stream)

    monkeypatch.setattr(torch, "save", save_once)
    sentence = "it can't be written ({}); make room and go on with the same command."
    with pytest.raises(ResourceError, match=r"(checkpoint-00002|model)\.pt: " + re.escape(sentence.format(FULL))):
        medunet.train(bundle)
    monkeypatch.undo()
    gc.collect()  # the trainer that failed is a circle, and holds the run
    assert (run.find_state(), run.list_checkpoints()) == (State.CHECKPOINTED, [run.checkpoint(1)])
    # Of a write that really fails torch raises a RuntimeError about positions in its file.
    limit = run.checkpoint(1).stat().st_size // 2
    command = [sys.executable, "-c", LIMITED, str(limit), "train", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    *lines, last = done.stderr.splitlines()
    assert last == f"medunet: {run.checkpoint(2)}: {sentence.format('File too large')}"
    assert not any("rror" in line or "Traceback" in line for line in lines)
    assert (run.find_state(), run.list_checkpoints()) == (State.CHECKPOINTED, [run.checkpoint(1)])
    assert not list(run.path.glob(".part-*"))
    resumed = torch.load(medunet.train(bundle), weights_only=True)
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


def test_a_full_disk_is_found_behind_what_libraries_raise() -> None:
    full = OSError(errno.ENOSPC, FULL)
    with pytest.raises(RuntimeError) as raised:
        try:
            raise full
        except OSError:
            raise RuntimeError("unexpected pos 768 vs 662")  # noqa: B904 (as torch does)
    assert find_full_disk(raised.value) is full
    assert find_full_disk(OSError(errno.EACCES, "Permission denied")) is None


def test_a_run_keeps_the_schedule_of_its_first_budget_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "ab")
    run = find_run(open_bundle(bundle), 0)
    warn_of_budget(run, 5)
    pin_schedule(bundle, epochs=1, steps_per_epoch=1)
    warn_of_budget(run, 100)
    assert not caplog.records
    medunet.train(bundle, budget_minutes=5)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "medunet.training.run"]
    sentence = "the run keeps this schedule, made for a budget of 100 min, not of 5; begin anew with --restart"
    assert said == f"{run.schedule}: {sentence}"


def test_damaged_weights_of_a_finished_run_are_made_again_from_its_checkpoint(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "ab")
    pin_schedule(bundle, epochs=2, steps_per_epoch=1)
    before = medunet.train(bundle).read_bytes()
    run = find_run(open_bundle(bundle), 0)
    run.weights.write_bytes(b"x")
    assert medunet.train(bundle).read_bytes() == before
    assert run.find_state() == State.FINISHED
    for path in (run.weights, *run.list_checkpoints()):
        path.write_bytes(b"x")
    with pytest.raises(ResourceError, match="neither its weights nor any checkpoint is whole; train it anew with"):
        medunet.train(bundle)
