import torch
from plans import make_test_plan

from medunet.networks import MeanNetwork, build_network, make_network


def test_logits_are_averaged() -> None:
    torch.manual_seed(0)
    networks = [build_network(make_network(make_test_plan())).eval() for _ in range(3)]
    image = torch.randn(2, 1, 16, 16, 16)
    with torch.inference_mode():
        mean = torch.stack([network(image) for network in networks]).mean(dim=0)
        assert torch.allclose(MeanNetwork(networks)(image), mean, atol=1e-6)


def test_halves_are_added_in_full_precision() -> None:
    networks = [torch.nn.Linear(4, 2).to(torch.bfloat16) for _ in range(2)]
    assert MeanNetwork(networks)(torch.ones(1, 4, dtype=torch.bfloat16)).dtype == torch.float32
