from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events

from medunet.labels import LabelTable
from medunet.training.watching import Watch, watching


def run(table: LabelTable, channels: list[list[float]]) -> list[tuple]:
    """Validate after both of two epochs; channels of one row of voxels."""
    heard: list[tuple] = []
    made = torch.tensor(channels)[:, :, None, None]
    validator = Engine(lambda *_: [{"label": made, "pred": made.flip(1)}])
    trainer = Engine(lambda *_: None)
    session = SimpleNamespace(plan=SimpleNamespace(task=SimpleNamespace(labels=table)), validation=["a", "b"])
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: validator.run([0, 1]))
    with watching(lambda *found: heard.append(found)):
        Watch(session, validator).attach(trainer)  # type: ignore[arg-type]
        trainer.run([0], max_epochs=2)
    return heard


@pytest.mark.parametrize(
    ("table", "channels", "truth"),
    [
        (LabelTable.from_names(["a", "b"]), [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 1, 2]),
        (LabelTable.from_names(["a"], objects=True), [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 1, 1]),
    ],
)
def test_each_validation_is_handed_on_with_its_cases(
    table: LabelTable, channels: list[list[float]], truth: list[int]
) -> None:
    heard = run(table, channels)
    assert [[item.case for item in cases] for _, cases in heard] == [["a", "b"]] * 2
    for _, cases in heard:
        assert [np.ravel(item.truth).tolist() for item in cases] == [truth] * 2
        assert [np.ravel(item.predicted).tolist() for item in cases] == [truth[::-1]] * 2


def test_without_a_listener_nothing_is_kept() -> None:
    validator, trainer = Engine(lambda *_: [{}]), Engine(lambda *_: None)
    Watch(SimpleNamespace(), validator).attach(trainer)  # type: ignore[arg-type]
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: validator.run([0]))
    trainer.run([0], max_epochs=1)
    assert not validator.has_event_handler(Watch._keep)
