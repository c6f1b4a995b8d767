import copy

import pytest
import torch
from monai.bundle import ConfigComponent
from plans import make_test_plan

from medunet.networks import Muon, build_network, make_network, make_optimizer
from medunet.networks.optimizer import orthogonalize


@pytest.mark.parametrize("shape", [(16, 54), (64, 8), (32, 32)])
def test_singular_values_become_nearly_equal(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalize(1e-3 * torch.randn(shape)))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_direction_is_kept() -> None:
    torch.manual_seed(0)
    turned = torch.linalg.qr(torch.randn(16, 16))[0]
    matrix = turned @ torch.diag(torch.linspace(0.5, 1, 16))
    found = orthogonalize(matrix)
    assert torch.nn.functional.cosine_similarity(found.flatten(), turned.flatten(), dim=0) > 0.97


def test_a_step_of_a_kernel_is_as_long_as_its_learning_rate_says_whatever_the_gradient() -> None:
    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.randn(16, 8, 3, 3, 3))
    optimizer = Muon([kernel], kernel_lr=0.02)
    for scale in (1e-6, 1e3):
        before = kernel.detach().clone()
        kernel.grad = scale * torch.randn_like(kernel)
        optimizer.step()
        rows = (kernel.detach() - before).flatten(1).norm(dim=1)
        assert torch.allclose(rows, torch.full((16,), 0.02), rtol=0.4)


def test_all_but_kernels_take_the_step_of_adamw() -> None:
    torch.manual_seed(0)
    plan = make_test_plan()
    network = build_network(make_network(plan))
    other = copy.deepcopy(network)
    image = torch.randn(2, 1, *plan.window.patch)
    optimizers = Muon(network.parameters(), lr=1e-3), torch.optim.AdamW(other.parameters(), lr=1e-3, weight_decay=3e-4)
    for model, optimizer in zip((network, other), optimizers, strict=True):
        model(image).square().mean().backward()
        optimizer.step()
    moved = [not torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True)]
    kernels = [p.ndim > 2 and min(p.shape[:2]) >= 3 for p in network.parameters()]
    assert moved == kernels
    assert sum(kernels) > 5


def test_goes_on_from_its_state() -> None:
    torch.manual_seed(0)
    plan = make_test_plan()
    network = build_network(make_network(plan))
    image = torch.randn(2, 1, *plan.window.patch)
    optimizer = Muon(network.parameters())

    def step(model: torch.nn.Module, of: torch.optim.Optimizer) -> None:
        of.zero_grad()
        model(image).square().mean().backward()
        of.step()

    step(network, optimizer)
    resumed = copy.deepcopy(network)
    other = Muon(resumed.parameters())
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(network, optimizer)
    step(resumed, other)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), resumed.parameters(), strict=True))


@pytest.mark.parametrize(("kind", "rates"), [("muon", [0.008, 0.02]), ("adamw", [0.008]), ("sgd", [0.008])])
def test_the_optimizer_of_a_plan(kind: str, rates: list[float]) -> None:
    network = build_network(make_network(make_test_plan()))
    optimizer = ConfigComponent(config=make_optimizer(kind, network.parameters(), 0.008)).instantiate()  # type: ignore[arg-type]
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(rates)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len([*network.parameters()])
    assert make_optimizer("muon", "$@p", "$@rate")["kernel_lr"] == "$2.5 * @rate"
