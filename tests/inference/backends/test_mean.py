import torch
from torch import nn

from medunet.inference.backends import Backend, MeanBackend, TorchBackend
from medunet.networks import MeanNetwork
from medunet.testing.backends import BackendSuite

CPU = torch.device("cpu")


def make() -> MeanBackend:
    return MeanBackend(lambda: TorchBackend(CPU, torch.float32), 3)


class TestOneNetwork(BackendSuite):
    def make_backend(self) -> Backend:
        return make()


class TestSeveralNetworks(BackendSuite):
    def make_backend(self) -> Backend:
        return make()

    def make_network(self, dims: int, widths: tuple[int, ...] = (4, 8, 8)) -> nn.Module:
        network = super().make_network(dims, widths)  # type: ignore[arg-type]
        other = super().make_network(dims, widths)  # type: ignore[arg-type]
        for value in other.parameters():
            value.data *= 0.9
        return MeanNetwork([network, other])


def test_the_mean_is_that_of_the_network_bit_for_bit_and_each_fold_is_seen() -> None:
    networks = [nn.Conv3d(1, 3, 3, padding=1) for _ in range(3)]
    patches = torch.randn(2, 1, 8, 8, 8)
    with torch.no_grad():
        alone = [network(patches) for network in networks]
    whole = TorchBackend(CPU, torch.float32).open(MeanNetwork(networks), (1, 8, 8, 8), 3).run(patches)
    seen: list[list[torch.Tensor]] = []
    backend = make().open(MeanNetwork(networks), (1, 8, 8, 8), 3)
    assert torch.equal(backend.watched(lambda logits: seen.append(list(logits))).run(patches), whole)
    assert torch.equal(backend.run(patches), whole)
    (folds,) = seen
    assert all(torch.equal(one, other) for one, other in zip(folds, alone, strict=True))


def test_one_patch_at_a_time_is_computed_by_all_networks() -> None:
    networks = [nn.Conv3d(1, 3, 3, padding=1) for _ in range(3)]
    patches = torch.randn(1, 1, 8, 8, 8)
    seen: list[int] = []
    backend = make().open(MeanNetwork(networks), (1, 8, 8, 8), 3)
    narrow = backend.watched(lambda logits: seen.append(len(logits))).traits.narrow
    assert narrow is not None
    assert torch.allclose(narrow().run(patches), backend.run(patches), atol=1e-6)
    assert seen == [3]
    assert narrow().traits.peak_bytes((8, 8, 8), 1) < backend.traits.peak_bytes((8, 8, 8), 2)
    alone = make().open(networks[0], (1, 8, 8, 8), 3)
    assert backend.traits.peak_bytes((8, 8, 8), 2) - alone.traits.peak_bytes((8, 8, 8), 2) == 3 * 3 * 2 * 4 * 8**3
