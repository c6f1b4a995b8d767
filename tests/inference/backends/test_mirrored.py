from itertools import product

import torch
from torch import nn

from medunet.inference.backends import Backend, MirroredBackend, TorchBackend
from medunet.testing.backends import BackendSuite


class TestMirrored(BackendSuite):
    def make_backend(self) -> Backend:
        return MirroredBackend(TorchBackend(torch.device("cpu"), torch.float32), (0, 1))

    def compute(self, network: nn.Module, patches: torch.Tensor) -> torch.Tensor:
        images: list[list[int]] = [[], [2], [3], [2, 3]]
        return sum(network(patches.flip(axes)).flip(axes) for axes in images) / len(images)


def test_each_mirror_image_is_asked_once() -> None:
    asked = []

    class Own(TorchBackend):
        def run(self, patches: torch.Tensor) -> torch.Tensor:
            asked.append(patches)
            return patches[:, :1]

    backend = MirroredBackend(Own(torch.device("cpu")), range(3))
    patches = torch.rand(2, 1, 3, 4, 5)
    assert torch.allclose(backend.run(patches), patches)
    wanted = [
        [axis for axis, turned in zip((2, 3, 4), chosen, strict=True) if turned] for chosen in product((0, 1), repeat=3)
    ]
    assert len(asked) == 8
    assert all(any(torch.equal(one, patches.flip(axes)) for one in asked) for axes in wanted)
