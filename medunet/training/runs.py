"""The folder of a run: the names of its files, the state that they tell, and what each state allows.

A run trains one fold of a bundle; everything of it lies in `work/fold<K>`. How far it came is written down nowhere
but in its own files: a state is derived from them whenever somebody asks. "Weights" are `model.pt` and the
`result.json` that names their SHA-256, whole where the two agree; a whole checkpoint agrees with its `.sha256`.

| state | files | allows |
|---|---|---|
| absent | no folder | resume, start |
| begun | a folder without weights or checkpoints | resume, restart, start |
| checkpointed | a whole checkpoint, no whole weights | resume, restart |
| stopped | whole weights; a signal ended it | resume, restart |
| out of time | whole weights; its minutes were gone | resume, restart, publish, take over |
| ended | whole weights; its steps are done, but not noted as finished | resume, restart, publish |
| finished | whole weights and `finished` | restart, publish, take over |
| damaged | weights or checkpoints, none of them whole | restart |

- resume: `medunet train` begins the run, or goes on with it;
- restart: `--restart` puts the run aside and begins anew;
- start: `--from` chooses the weights that the run starts from;
- publish: its weights go into the ensemble of all folds (alone they are the bundle's whenever its steps end);
- take over: `--fold all` leaves the run as it is, instead of going on with it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Literal

import torch

from medunet.bundle import Bundle, save_tensors, write_weights
from medunet.codes import Code
from medunet.errors import InputError, MedunetError, OutputExistsError, RecordError, ResourceError
from medunet.files import hash_file, whole_file
from medunet.machine import find_module
from medunet.records import Record, read_record, write_record

LOGGER = logging.getLogger(__name__)
CHECKPOINT = "checkpoint-{:05d}.pt"
GENERATIONS = 2
"""Checkpoints that are kept."""
Ending = Literal["schedule", "patience", "time", "signal"]
"""The schedule was done, or before that patience was at its end, the minutes were gone, or the user stopped it."""


class FoldResult(Record):
    """`result.json`, the record beside the weights of a run."""

    weights_sha256: str
    """SHA-256 of the weights beside it."""
    ended: Ending
    """Why the steps ended: schedule, patience, time or signal."""
    training: dict[str, Any]
    """What metadata.json says of a training: fold, epochs, steps, minutes, validation_dice, cases, held_out_cases."""
    images: tuple[str, ...] = ()
    """Hash of each image that it was trained on."""


class State(StrEnum):
    """How far a run came."""

    ABSENT = "absent"
    BEGUN = "begun"
    CHECKPOINTED = "checkpointed"
    STOPPED = "stopped"
    OUT_OF_TIME = "out of time"
    ENDED = "ended"
    FINISHED = "finished"
    DAMAGED = "damaged"


class Action(StrEnum):
    """What may be done with a run."""

    RESUME = "resume"
    RESTART = "restart"
    START = "start"
    PUBLISH = "publish"
    TAKE_OVER = "take over"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table of states.

    Attributes:
        allows: what may be done.
        found: what is wrong where anything else is wanted; `{fold}` and `{epochs}` are filled in.
        remedy: what the user can do then.
        refusal: kind of the error.
        code: of the error.
    """

    allows: tuple[Action, ...]
    found: str
    remedy: str = "go on with the same command"
    refusal: type[MedunetError] = ResourceError
    code: Code = "run-unfinished"


_RESUME, _RESTART, _START, _PUBLISH, _TAKE_OVER = Action
STATES = {
    State.ABSENT: Rule((_RESUME, _START), "it hasn't begun"),
    State.BEGUN: Rule((_RESUME, _RESTART, _START), "it has no weights yet"),
    State.CHECKPOINTED: Rule((_RESUME, _RESTART), "it has no weights yet"),
    State.STOPPED: Rule((_RESUME, _RESTART), "it was stopped after {epochs} epochs"),
    State.OUT_OF_TIME: Rule((_RESUME, _RESTART, _PUBLISH, _TAKE_OVER), "its minutes were gone after {epochs} epochs"),
    State.ENDED: Rule((_RESUME, _RESTART, _PUBLISH), "it ended after {epochs} epochs"),
    State.FINISHED: Rule(
        (_RESTART, _PUBLISH, _TAKE_OVER),
        "fold {fold} is trained already",
        "add --restart to train it anew",
        OutputExistsError,
        code="output-exists",
    ),
    State.DAMAGED: Rule(
        (_RESTART,),
        "neither its weights nor any checkpoint is whole",
        "train it anew with --fold {fold} --restart",
        code="run-damaged",
    ),
}
OF_ENDING: dict[Ending, State] = {
    "signal": State.STOPPED,
    "time": State.OUT_OF_TIME,
    "schedule": State.ENDED,
    "patience": State.ENDED,
}
"""State of a run with whole weights that isn't noted as finished."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run; it need not be there.

    Attributes:
        path: `work/fold<K>` of a bundle.
    """

    path: Path

    @property
    def fold(self) -> str:
        """Number of its fold, as its name has it."""
        return self.path.name.removeprefix("fold")

    @property
    def weights(self) -> Path:
        """The best weights so far."""
        return self.path / "model.pt"

    @property
    def result(self) -> Path:
        """What they scored, and their SHA-256: a `FoldResult`."""
        return self.path / "result.json"

    @property
    def finished(self) -> Path:
        """An empty file that is there once no steps are left."""
        return self.path / "finished"

    @property
    def schedule(self) -> Path:
        """Epochs and steps, fixed at the first start: a `Schedule`."""
        return self.path / "schedule.json"

    @property
    def start(self) -> Path:
        """What it started from, unless from random weights: a `Start`."""
        return self.path / "start.json"

    @property
    def start_weights(self) -> Path:
        """The weights that it started from."""
        return self.path / "start.pt"

    @property
    def history(self) -> Path:
        """A row an epoch."""
        return self.path / "history.csv"

    @property
    def page(self) -> Path:
        """Scores of the held-out cases while it is trained."""
        return self.path / "report.html"

    @property
    def picture(self) -> Path:
        """The curves of the history."""
        return self.path / "progress.png"

    @property
    def board(self) -> Path:
        """Folder of TensorBoard's logs."""
        return self.path / "tensorboard"

    @property
    def held_out(self) -> Path:
        """Folder of masks of the held-out cases, after `--fold all`."""
        return self.path / "held_out"

    def checkpoint(self, epoch: int) -> Path:
        """The state at the end of an epoch."""
        return self.path / CHECKPOINT.format(epoch)

    def list_checkpoints(self) -> list[Path]:
        """Checkpoints, the latest first, whole or not."""
        return sorted(self.path.glob(CHECKPOINT.replace("{:05d}", "*")), reverse=True)

    def find_state(self) -> State:
        """How far it came, by its files."""
        return self._derive()[0]

    def allows(self, action: Action) -> bool:
        """Whether its state allows something."""
        return action in STATES[self.find_state()].allows

    def check(self, action: Action) -> None:
        """Check that its state allows something.

        Raises:
            OutputExistsError: it is finished.
            ResourceError: it is in another state that doesn't allow this.
        """
        state, result = self._derive()
        if action not in STATES[state].allows:
            raise self._refuse(state, result)

    def read_result(self) -> FoldResult:
        """The record of weights that may be published.

        Raises:
            ResourceError: its state doesn't allow that.
        """
        state, result = self._derive()
        if result is None or Action.PUBLISH not in STATES[state].allows:
            raise self._refuse(state, result)
        return result

    def _derive(self) -> tuple[State, FoldResult | None]:
        if not self.path.is_dir():
            return State.ABSENT, None
        result = self._find_result()
        if result is not None:
            return (State.FINISHED if self.finished.exists() else OF_ENDING[result.ended]), result
        checkpoints = self.list_checkpoints()
        if any(is_whole(path) for path in checkpoints):
            return State.CHECKPOINTED, None
        broken = checkpoints or [path for path in (self.weights, self.result, self.finished) if path.exists()]
        return (State.DAMAGED if broken else State.BEGUN), None

    def _find_result(self) -> FoldResult | None:
        """The record of whole weights."""
        if not (self.result.is_file() and self.weights.is_file()):
            return None
        try:
            result = read_record(self.result, FoldResult)
        except RecordError:
            return None
        return result if hash_file(self.weights) == result.weights_sha256 else None

    def _refuse(self, state: State, result: FoldResult | None) -> MedunetError:
        rule, known = STATES[state], {"fold": self.fold, "epochs": result and result.training.get("epochs")}
        return rule.refusal(self.path, rule.found.format(**known), rule.remedy.format(**known), code=rule.code)

    def hold(self) -> IO[bytes]:
        """Hold the run for this process; it is given back when the returned file is closed, however the process ends.

        Raises:
            InputError: another process trains it.
            ResourceError: the folder can't be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("ab")
        except OSError as error:
            found = f"it can't be written ({error.strerror or error})"
            raise ResourceError(self.path, found, "make room, or let this user write there") from error
        try:
            _lock(lock)
        except OSError:
            lock.close()
            raise InputError(
                self.path, "another process trains this fold", "wait for it, or stop it", code="run-busy"
            ) from None
        return lock

    def put_aside(self) -> Path:
        """Give the folder another name, `fold<K>.before-<N>`, so that the run can begin anew; returns that.

        Raises:
            InputError: another process trains it.
        """
        with self.hold():
            number = 1
            while (aside := self.path.with_name(f"{self.path.name}.before-{number}")).exists():
                number += 1
            return self.path.rename(aside)

    def save_checkpoint(self, epoch: int, state: Mapping[str, Any]) -> None:
        """Write the state at the end of an epoch; only once it is whole, checkpoints before the one before it go.

        Raises:
            ResourceError: the disk is full; the earlier checkpoints stay.
        """
        path = self.checkpoint(epoch)
        # The sum is there before the checkpoint has its name: a process killed at any moment leaves whole pairs.
        with whole_file(path) as part:
            save_tensors(part, state)
            with whole_file(_name_sum(path)) as text:
                text.write_text(hash_file(part), encoding="ascii")
        for old in self.list_checkpoints()[GENERATIONS:]:
            old.unlink()
            _name_sum(old).unlink(missing_ok=True)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The state of the latest whole checkpoint, None where there is no checkpoint.

        Raises:
            ResourceError: none of them is whole.
        """
        for left in self.path.glob(".part-*"):
            left.unlink()  # of a process that was killed while it wrote
        paths = self.list_checkpoints()
        for path in paths:
            if is_whole(path):
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            LOGGER.warning("%s: its SHA-256 is wrong, so the checkpoint before it is taken", path)
        if paths:
            raise ResourceError(self.path, "no checkpoint is whole", "start anew with --restart", code="run-damaged")
        return None

    def write_result(
        self,
        weights: Mapping[str, torch.Tensor],
        ended: Ending,
        training: Mapping[str, Any],
        images: Sequence[str] = (),
    ) -> FoldResult:
        """Write the best weights and then their record, in place of earlier ones.

        Args:
            weights: of the plain network, by name.
            ended: why the steps ended.
            training: as of `FoldResult`.
            images: as of `FoldResult`.
        """
        write_weights(self.weights, weights)
        digest = hash_file(self.weights)
        result = FoldResult(weights_sha256=digest, ended=ended, training=dict(training), images=tuple(images))
        write_record(self.result, result)
        return result

    def finish(self, result: FoldResult, epochs: int) -> None:
        """Note that the run is finished, where it has done the `epochs` of its schedule or its patience ended it."""
        if result.training["epochs"] >= epochs or result.ended == "patience":
            with whole_file(self.finished) as part:
                part.touch()


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint has the SHA-256 that stands beside it."""
    stands = _name_sum(checkpoint)
    return stands.is_file() and stands.read_text(encoding="ascii") == hash_file(checkpoint)


def _name_sum(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".sha256")


def find_run(bundle: Bundle, fold: int | str) -> RunFolder:
    """The folder of the run that trains a fold."""
    return RunFolder(bundle.work / f"fold{fold}")


def _lock(file: IO[bytes]) -> None:
    """Lock a file for this process; an OSError says that another one has it."""
    if (posix := find_module("fcntl")) is not None:
        # Unlike flock, workers that outlive a killed process don't inherit it.
        posix.lockf(file, posix.LOCK_EX | posix.LOCK_NB)
    elif (windows := find_module("msvcrt")) is not None:
        file.seek(0)
        windows.locking(file.fileno(), windows.LK_NBLCK, 1)
