import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from medunet.bundle import open_bundle
from medunet.errors import InputError, MedunetError, OutputExistsError, ResourceError
from medunet.training import RunFolder, State, find_run, runs
from medunet.training.runs import STATES, Action, Ending, is_whole

ROOT = Path(__file__).parents[2]


def save(run: RunFolder, epoch: int, *, whole: bool = True) -> None:
    run.save_checkpoint(epoch, {"epoch": epoch, "network": {"a": torch.full((3,), float(epoch))}})
    if not whole:
        run.checkpoint(epoch).write_bytes(b"x")


def end(run: RunFolder, ended: Ending, epochs: int = 2, *, whole: bool = True) -> None:
    """Weights and record of a run whose schedule has three epochs."""
    result = run.write_result({"a": torch.ones(2)}, ended, {"fold": 0, "epochs": epochs})
    run.finish(result, 3)
    if not whole:
        run.weights.write_bytes(b"x")


FILES = {
    "absent": lambda run: None,
    "an empty folder": lambda run: run.path.mkdir(),
    "held and scheduled": lambda run: (run.hold().close(), run.schedule.touch(), run.start.touch()),
    "killed": lambda run: save(run, 1),
    "killed, one checkpoint broken": lambda run: (save(run, 1), save(run, 2, whole=False)),
    "killed before the record": lambda run: (save(run, 1), run.weights.write_bytes(b"x")),
    "weights of another record": lambda run: (save(run, 1), end(run, "signal", whole=False)),
    "a record that is no JSON": lambda run: (save(run, 1), end(run, "signal"), run.result.write_text("{")),
    "stopped": lambda run: (save(run, 2), end(run, "signal")),
    "stopped, no checkpoint": lambda run: end(run, "signal"),
    "out of time": lambda run: (save(run, 2), end(run, "time")),
    "killed before it was finished": lambda run: (save(run, 3), end(run, "schedule")),
    "finished": lambda run: (save(run, 3), end(run, "schedule", 3)),
    "out of patience": lambda run: (save(run, 2), end(run, "patience")),
    "stopped after its last epoch": lambda run: end(run, "signal", 3),
    "weights damaged after the end": lambda run: (save(run, 3), end(run, "schedule", 3, whole=False)),
    "weights damaged, no checkpoint": lambda run: end(run, "schedule", 3, whole=False),
    "no weights, a broken checkpoint": lambda run: save(run, 1, whole=False),
    "a mark alone": lambda run: (run.path.mkdir(), run.finished.touch()),
}


@pytest.mark.parametrize(("files", "state", "allowed"), [
    ("absent", "absent", "resume, start"),
    ("an empty folder", "begun", "resume, restart, start"),
    ("held and scheduled", "begun", "resume, restart, start"),
    ("killed", "checkpointed", "resume, restart"),
    ("killed, one checkpoint broken", "checkpointed", "resume, restart"),
    ("killed before the record", "checkpointed", "resume, restart"),
    ("weights of another record", "checkpointed", "resume, restart"),
    ("a record that is no JSON", "checkpointed", "resume, restart"),
    ("stopped", "stopped", "resume, restart"),
    ("stopped, no checkpoint", "stopped", "resume, restart"),
    ("out of time", "out of time", "resume, restart, publish, take over"),
    ("killed before it was finished", "ended", "resume, restart, publish"),
    ("finished", "finished", "restart, publish, take over"),
    ("out of patience", "finished", "restart, publish, take over"),
    ("stopped after its last epoch", "finished", "restart, publish, take over"),
    ("weights damaged after the end", "checkpointed", "resume, restart"),
    ("weights damaged, no checkpoint", "damaged", "restart"),
    ("no weights, a broken checkpoint", "damaged", "restart"),
    ("a mark alone", "damaged", "restart"),
])  # fmt: skip
def test_files_tell_the_state_and_that_what_is_allowed(tmp_path: Path, files: str, state: str, allowed: str) -> None:
    run = RunFolder(tmp_path / "fold0")
    FILES[files](run)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert run.find_state() == state
    for action in Action:
        assert run.allows(action) == (action in allowed.split(", "))
        if run.allows(action):
            run.check(action)
        else:
            with pytest.raises(MedunetError):
                run.check(action)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("files", "error", "sentence"), [
    ("finished", OutputExistsError, "fold 4 is trained already; add --restart to train it anew."),
    ("weights damaged, no checkpoint", ResourceError,
     "neither its weights nor any checkpoint is whole; train it anew with --fold 4 --restart."),
])  # fmt: skip
def test_what_cannot_go_on_says_why(tmp_path: Path, files: str, error: type[Exception], sentence: str) -> None:
    run = RunFolder(tmp_path / "fold4")
    FILES[files](run)
    with pytest.raises(error, match=re.escape(f"{run.path}: {sentence}")):
        run.check(Action.RESUME)


def test_weights_that_may_be_published_have_a_record(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "fold0")
    with pytest.raises(ResourceError, match="it hasn't begun; go on with the same command"):
        run.read_result()
    FILES["stopped"](run)
    with pytest.raises(ResourceError, match="it was stopped after 2 epochs; go on with the same command"):
        run.read_result()
    end(run, "time")
    assert (run.read_result().ended, run.read_result().training["epochs"]) == ("time", 2)
    run.weights.write_bytes(b"x")
    with pytest.raises(ResourceError, match="it has no weights yet"):
        run.read_result()


@pytest.mark.parametrize("text", [str(runs.__doc__), (ROOT / "docs/concepts/training.md").read_text("utf-8")])
def test_the_table_in_words_is_the_table(text: str) -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| [^|]+ \| ([a-z, ]+) \|$", text.partition("| state |")[2], re.MULTILINE)
    assert dict(rows) == {state.value: ", ".join(rule.allows) for state, rule in STATES.items()}
    assert {state.value for state in State} == dict(rows).keys()


def test_everything_in_a_run_has_its_name(trained: Path) -> None:
    run = find_run(open_bundle(trained), 0)
    assert (run.fold, run.find_state()) == ("0", State.FINISHED)
    named = {run.weights, run.result, run.finished, run.schedule, run.history, run.picture, run.page, run.path / "lock"}
    pairs = {path for epoch in (4, 5) for path in (run.checkpoint(epoch), run.checkpoint(epoch).with_suffix(".sha256"))}
    assert {path for path in run.path.iterdir() if path != run.board} == named | pairs
    assert run.list_checkpoints() == [run.checkpoint(5), run.checkpoint(4)]


def test_two_checkpoints_are_kept_and_the_latest_whole_one_is_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = RunFolder(tmp_path)
    assert run.load_checkpoint() is None
    for epoch in (1, 2, 3):
        save(run, epoch)
    (tmp_path / ".part-1-checkpoint-00004.pt").touch()
    state = run.load_checkpoint()
    assert state is not None
    assert state["epoch"] == 3
    assert len(list(tmp_path.iterdir())) == 4, "two pairs, and nothing half-written"
    save(run, 3, whole=False)
    state = run.load_checkpoint()
    assert state is not None
    assert (state["epoch"], is_whole(run.checkpoint(3))) == (2, False)
    assert "checkpoint-00003.pt: its SHA-256 is wrong" in caplog.text
    run.checkpoint(2).with_suffix(".sha256").unlink()
    with pytest.raises(ResourceError, match="no checkpoint is whole"):
        run.load_checkpoint()


def test_a_full_disk_leaves_the_earlier_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path)
    for epoch in (1, 2):
        save(run, epoch)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", fill)
    with pytest.raises(ResourceError, match=r"checkpoint-00003\.pt: it can't be written \(No space left on device\)"):
        save(run, 3)
    monkeypatch.undo()
    monkeypatch.setattr(runs, "hash_file", fill)
    with pytest.raises(ResourceError, match=r"checkpoint-00003\.sha256: it can't be written"):
        save(run, 3)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert run.find_state() == State.CHECKPOINTED


def test_one_process_holds_a_run(tmp_path: Path) -> None:
    other = (
        "import pathlib, sys, time; from medunet.training import RunFolder; "
        "held = RunFolder(pathlib.Path(sys.argv[1])).hold(); print('held', flush=True); time.sleep(60)"
    )
    run = RunFolder(tmp_path / "fold0")
    with subprocess.Popen([sys.executable, "-c", other, str(run.path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match="another process trains this fold"):
            run.hold()
        with pytest.raises(InputError, match="another process trains this fold"):
            run.put_aside()
        process.kill()
    run.hold().close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "work").touch()
    with pytest.raises(ResourceError, match="fold0: it can't be written"):
        RunFolder(tmp_path / "work" / "fold0").hold()


def test_runs_that_are_put_aside_are_kept(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "fold0")
    for number in (1, 2):
        save(run, number)
        aside = run.put_aside()
        assert aside == tmp_path / f"fold0.before-{number}"
        assert RunFolder(aside).find_state() == State.CHECKPOINTED
        assert run.find_state() == State.ABSENT
