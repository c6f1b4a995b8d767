from pathlib import Path

import pytest
import torch

from medunet.bundle import write_weights
from medunet.files import hash_file
from medunet.records import write_record
from medunet.training.result import Ending, FoldResult, is_done, read_result


def make(run: Path, ended: Ending) -> None:
    write_weights(run / "model.pt", {"a": torch.ones(2)})
    digest = hash_file(run / "model.pt")
    write_record(run / "result.json", FoldResult(weights_sha256=digest, ended=ended, training={"fold": 0}))


@pytest.mark.parametrize(("ended", "finished", "done"), [
    ("schedule", True, True), ("time", False, True), ("signal", False, False), ("signal", True, True),
])  # fmt: skip
def test_a_run_is_done_when_its_schedule_or_its_minutes_are(
    tmp_path: Path, ended: Ending, finished: bool, done: bool
) -> None:
    make(tmp_path, ended)
    if finished:
        (tmp_path / "finished").touch()
    assert is_done(tmp_path) == done


def test_weights_of_another_record_are_none(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    make(tmp_path, "time")
    assert read_result(tmp_path) is not None
    write_weights(tmp_path / "model.pt", {"a": torch.zeros(2)})
    assert read_result(tmp_path) is None
    assert not is_done(tmp_path)
