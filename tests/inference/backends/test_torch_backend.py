import pytest
import torch
from plans import make_test_plan

from medunet.inference.backends import Backend, TorchBackend
from medunet.networks import build_network, choose_precision, make_network
from medunet.testing.backends import BackendSuite

CPU = torch.device("cpu")


class TestFloat32(BackendSuite):
    def make_backend(self) -> Backend:
        return TorchBackend(CPU, torch.float32)


@pytest.mark.skipif(choose_precision(CPU) != torch.bfloat16, reason="this CPU has no bfloat16, and emulates it slowly")
class TestBfloat16(BackendSuite):
    def make_backend(self) -> Backend:
        return TorchBackend(CPU, torch.bfloat16)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
class TestCuda(BackendSuite):
    def make_backend(self) -> Backend:
        return TorchBackend(torch.device("cuda:0"), torch.float16)


def test_logits_are_those_of_the_plain_network() -> None:
    torch.manual_seed(0)
    network = build_network(make_network(make_test_plan()))
    patch = torch.randn(1, 1, 16, 16, 16)
    backend = TorchBackend(CPU).open(network, (1, 16, 16, 16), 3)
    logits = backend.run(patch)
    assert not network.training
    with torch.no_grad():
        assert torch.allclose(logits, network(patch), atol=1e-5 if backend.traits.exact else 0.1)


@pytest.mark.parametrize(("dims", "batch", "computed"), [(3, 1, 2), (3, 2, 2), (3, 3, 3), (2, 1, 1)])
def test_a_lone_3d_patch_is_computed_twice(dims: int, batch: int, computed: int) -> None:
    plan = make_test_plan(dims=dims)
    network = build_network(make_network(plan))
    seen = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    backend = TorchBackend(CPU, torch.float32).open(network, (1, *plan.window.patch), plan.network.dims)
    logits = backend.run(torch.randn(batch, 1, *plan.window.patch))
    assert (seen, len(logits)) == ([computed], batch)
    peaks = [backend.traits.peak_bytes(plan.window.patch, count) for count in (batch, 2)]
    assert peaks[0] * 2 == peaks[1] * computed


def test_precision_is_the_best_of_the_device_unless_it_is_said() -> None:
    best = str(choose_precision(CPU)).removeprefix("torch.")
    assert TorchBackend(CPU).traits.precision == best
    assert TorchBackend(CPU).traits.exact == (best == "float32")
    assert TorchBackend(CPU, torch.bfloat16).traits.precision == "bfloat16"
