import torch
from ignite.engine import Engine
from plans import make_test_plan

from medunet.networks import DeepSupervision, build_network, make_network
from medunet.training import WeightAverage


def test_mean_follows_the_steps_and_is_of_all_of_them_at_first() -> None:
    plan = make_test_plan()
    network = DeepSupervision(build_network(make_network(plan)), plan.network.heads)
    average = WeightAverage(network, decay=0.99)
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(0.0)
        for mean in average.network.parameters():
            mean.fill_(0.0)

    def step(*_: object) -> None:
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(1.0)

    engine = Engine(step)
    average.attach(engine)
    engine.run([0] * 2000, max_epochs=1)
    values = torch.cat([mean.flatten() for mean in average.network.parameters()])
    # Of weights that grow by 1 a step, the mean lags behind by decay / (1 - decay) steps.
    assert torch.allclose(values, torch.full_like(values, 2000 - 99), atol=0.5)
    assert not average.network.training
    assert not any(mean.requires_grad for mean in average.network.parameters())


def test_first_steps_leave_the_random_start_behind() -> None:
    plan = make_test_plan()
    network = DeepSupervision(build_network(make_network(plan)), plan.network.heads)
    average = WeightAverage(network)
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(1.0)
    engine = Engine(lambda *_: None)
    average.attach(engine)
    engine.run([0] * 100, max_epochs=1)
    assert all(torch.allclose(mean, torch.ones_like(mean), atol=1e-3) for mean in average.network.parameters())


def test_what_a_batch_norm_counted_comes_along() -> None:
    network = DeepSupervision(torch.nn.Sequential(torch.nn.Conv3d(1, 2, 1), torch.nn.BatchNorm3d(2)), 0)
    average = WeightAverage(network)
    engine = Engine(lambda *_: network.train()(torch.randn(2, 1, 4, 4, 4)) is None)
    average.attach(engine)
    engine.run([0] * 3, max_epochs=1)
    norm = average.network.network[1]
    assert torch.equal(norm.running_mean, network.network[1].running_mean)
    assert int(norm.num_batches_tracked) == 3
