"""The conformance suite of backends: every backend must pass it, the next ones too."""

import pytest
import torch
from plans import make_test_plan

from medunet.inference.backends import Backend, TorchBackend
from medunet.networks import build_network, make_network


def open_torch(dims: int) -> Backend:
    torch.manual_seed(0)
    network = build_network(make_network(make_test_plan(dims=dims)))
    return TorchBackend(network, torch.device("cpu"), dims)


@pytest.mark.parametrize("opened", [open_torch])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_backend_gives_float_logits_of_every_voxel_and_patch(opened: "object", dims: int) -> None:
    backend = opened(dims)  # type: ignore[operator]
    patch = torch.randn(2, 1, *make_test_plan(dims=dims).patch)
    logits = backend.run(patch)
    assert backend.name
    assert logits.shape == (2, 2, *patch.shape[2:])
    assert (logits.dtype, logits.device.type) == (torch.float32, "cpu")
    assert torch.allclose(backend.run(patch.flip(0)).flip(0), logits, atol=1e-4)
    assert torch.equal(backend.run(patch), logits)
