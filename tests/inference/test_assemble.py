import pytest
import torch
from monai.inferers import SlidingWindowInferer

from medunet.inference import assemble_logits


class Local:
    """Two logits of every voxel, from the voxel and its place in the patch, so that blending shows."""

    name = "local"

    def run(self, patch: torch.Tensor) -> torch.Tensor:
        ramp = torch.linspace(0, 1, patch.shape[2])[None, None, :, None, None]
        return torch.cat([patch + ramp, patch * 2 - ramp], dim=1)


@pytest.mark.parametrize("shape", [(40, 30, 20), (16, 16, 16), (9, 40, 5), (33, 17, 16)])
def test_logits_equal_those_of_monai(shape: tuple[int, int, int]) -> None:
    image = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    ours = assemble_logits(image, Local(), (16, 16, 16), 0.5, "test")
    theirs = SlidingWindowInferer((16, 16, 16), 2, 0.5, mode="gaussian")(image[None], Local().run)[0]
    assert ours.shape == (2, *shape)
    assert torch.allclose(ours, theirs, atol=1e-4)
