import torch
from plans import make_test_plan

from medunet.inference.backends import TorchBackend
from medunet.networks import build_network, choose_precision, make_network


def test_logits_are_those_of_the_plain_network() -> None:
    network = build_network(make_network(make_test_plan()))
    patch = torch.randn(1, 1, 16, 16, 16)
    logits = TorchBackend(network, torch.device("cpu"), 3).run(patch)
    assert not network.training
    with torch.no_grad():
        exact = choose_precision(torch.device("cpu")) == torch.float32
        assert torch.allclose(logits, network(patch), atol=1e-5 if exact else 0.1)
