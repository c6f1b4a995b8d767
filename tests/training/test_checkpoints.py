from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from plans import make_test_plan

from medunet.errors import ResourceError
from medunet.networks import DeepSupervision, build_network, make_network
from medunet.training import KeepBest, RunCheckpoint, WeightAverage


def make(folder: Path, seed: int) -> tuple[RunCheckpoint, Engine, DeepSupervision]:
    torch.manual_seed(seed)
    plan = make_test_plan()
    network = DeepSupervision(build_network(make_network(plan)), plan.network.heads)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=10)

    def step(_: Engine, batch: int) -> dict[str, float]:
        optimizer.zero_grad()
        loss = sum(level.square().mean() for level in network(torch.full((2, 1, 16, 16, 16), float(batch))))
        loss.backward()
        optimizer.step()
        return {"loss": float(loss.detach())}

    engine = Engine(step)
    average = WeightAverage(network)
    average.attach(engine)
    checkpoint = RunCheckpoint(folder, network, average, optimizer, scheduler)
    checkpoint.attach(engine)
    return checkpoint, engine, network


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole, straight, first = make(tmp_path / "a", 0)
    straight.run([1, 2, 3], max_epochs=4)
    _, engine, _ = make(tmp_path / "b", 0)
    engine.run([1, 2, 3], max_epochs=2)
    checkpoint, engine, second = make(tmp_path / "b", 99)
    checkpoint.keep_best(0.5)
    engine.run([1, 2, 3], max_epochs=4)
    assert (engine.state.epoch, engine.state.iteration, checkpoint.epoch) == (4, 12, 4)
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert checkpoint.seconds > 0
    assert all(torch.equal(mean, checkpoint.present_state()[name]) for name, mean in whole.present_state().items())
    assert any(not torch.equal(mean, first.network.state_dict()[name]) for name, mean in whole.present_state().items())


def test_a_damaged_checkpoint_is_left_for_the_one_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, engine, _ = make(tmp_path, 0)
    engine.run([1], max_epochs=3)
    path = tmp_path / "checkpoint-00003.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    checkpoint, engine, _ = make(tmp_path, 1)
    engine.run([1], max_epochs=2)
    assert checkpoint.epoch == 2
    assert "SHA-256 is wrong" in caplog.text
    for damaged in tmp_path.glob("*.pt"):
        damaged.write_bytes(b"x")
    with pytest.raises(ResourceError, match="no checkpoint is whole"):
        make(tmp_path, 1)[1].run([1], max_epochs=2)


def test_the_best_weights_are_those_of_the_best_number(tmp_path: Path) -> None:
    checkpoint, engine, _ = make(tmp_path, 0)
    kept = []
    for epoch, metric in enumerate((float("nan"), 0.3, 0.2, float("nan")), start=1):
        engine.run([1], max_epochs=epoch)
        kept.append(checkpoint.present_state())
        checkpoint.keep_best(metric)
    name = next(iter(kept[0]))
    assert not torch.equal(kept[1][name], kept[2][name])
    assert torch.equal(checkpoint.best_state()[name], kept[1])
    assert checkpoint.best_metric == 0.3


def test_the_validator_hands_its_metric_over(tmp_path: Path) -> None:
    checkpoint, _, _ = make(tmp_path, 0)
    validator = Engine(lambda *_: None)
    validator.state.key_metric_name = "dice"
    KeepBest(checkpoint).attach(validator)
    validator.add_event_handler("EPOCH_COMPLETED", lambda engine: engine.state.metrics.update(dice=0.7))
    validator.run([0])
    assert checkpoint.best_metric == 0.7
