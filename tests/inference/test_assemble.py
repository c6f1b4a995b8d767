from dataclasses import replace
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.inferers import SlidingWindowInferer
from streams import LocalBackend, assemble_whole, follow_live_bytes

from medunet.errors import BundleError
from medunet.geometry import Shape
from medunet.inference import assemble as assembling
from medunet.inference import assemble_planes, count_assembling
from medunet.inference.backends import Backend, TorchBackend, Traits
from medunet.testing.backends import BackendSuite

SHAPES = [(40, 30, 20), (16, 16, 16), (9, 40, 5), (33, 17, 16)]


def assemble(image: torch.Tensor, backend: Backend, patch: Shape, overlap: float) -> torch.Tensor:
    return torch.stack(list(assemble_planes(image, backend, patch, overlap, "test")), dim=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_equal_those_of_monai(shape: Shape) -> None:
    image = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    ours = assemble(image, LocalBackend(), (16, 16, 16), 0.5)
    theirs = SlidingWindowInferer((16, 16, 16), 2, 0.5, mode="gaussian")(image[None], LocalBackend().run)[0]
    assert ours.shape == (2, *shape)
    assert torch.allclose(ours, theirs, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.integers(3, 8)] * 2, st.sampled_from((1, 4, 6))),
    st.sampled_from((0.0, 0.25, 0.5, 0.75)),
    st.integers(1, 3),
    st.integers(1, 5),
)
def test_planes_are_those_of_the_whole_volume_to_the_last_bit(
    shape: Shape, patch: Shape, overlap: float, classes: int, batch: int
) -> None:
    image = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    whole = assemble_whole(image, LocalBackend(classes), patch, overlap)
    assert torch.equal(assemble(image, LocalBackend(classes, batch), patch, overlap), whole)


def test_a_plane_comes_as_soon_as_no_patch_touches_it_again() -> None:
    backend = LocalBackend()
    arriving = assemble_planes(torch.randn(1, 20, 8, 8), backend, (8, 8, 8), 0.5, "test")
    run = []
    for _ in arriving:
        run.append(sum(backend.batches))
    # Patches begin at planes 0, 4, 8 and 12, and run in pairs.
    assert run == [2] * 4 + [4] * 16


@pytest.mark.parametrize(("batch", "expected"), [(1, [1] * 9), (2, [2, 2, 2, 2, 1]), (4, [4, 4, 1]), (50, [9])])
def test_a_backend_gets_as_many_patches_as_it_prefers(batch: int, expected: list[int]) -> None:
    backend = LocalBackend(batch=batch)
    assemble(torch.randn(1, 16, 16, 8), backend, (8, 8, 8), 0.5)
    assert backend.batches == expected


class Convolution(TorchBackend):
    """A network of torch whose sums are rounded otherwise where patches are put together otherwise."""

    def __init__(self, preferred: int) -> None:
        super().__init__(torch.device("cpu"), torch.float32)
        self.preferred = preferred
        self.batches: list[int] = []

    @property
    def traits(self) -> Traits:
        return replace(super().traits, preferred_batch=self.preferred)

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(patches))
        return super().run(patches)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from((0, 0, 0, 1, 2)), min_size=4, max_size=9), st.sampled_from((2, 3)), st.integers(1, 3))
def test_patches_of_one_value_are_computed_once_and_change_no_bit(
    kinds: list[int], dims: Literal[2, 3], batch: int
) -> None:
    """Slabs of air (0), of another value (1) and of noise (2) in any order, of two channels."""
    generator = torch.Generator().manual_seed(len(kinds))
    patch: Shape = (16, 16, 16 if dims == 3 else 1)
    parts = [
        torch.randn((2, *patch), generator=generator) if kind == 2 else torch.full((2, *patch), -1.0 - kind)
        for kind in kinds
    ]
    image = torch.cat(parts, dim=1)
    network = BackendSuite().make_network(dims)
    with Convolution(batch).open(network, (2, *patch), dims) as backend:
        skipping = assemble(image, backend, patch, 0.0)
        few = sum(backend.batches)
        with pytest.MonkeyPatch.context() as plain:
            plain.setattr(assembling._Patch, "values", property(lambda _: (), lambda *_: None), raising=False)
            assert torch.equal(skipping, assemble(image, backend, patch, 0.0))
    assert few <= len(kinds) + batch


def test_air_is_computed_once() -> None:
    backend = LocalBackend(batch=2)
    image = torch.full((1, 80, 8, 8), -3.0)
    image[:, 16:24] = torch.randn(8, 8, 8)
    assemble(image, backend, (8, 8, 8), 0.0)
    # The air once, filled up by itself; the noise; of an even number of patches none is left over.
    assert backend.batches == [2]


class LeanBackend(LocalBackend):
    """Takes no memory but that of its logits."""

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        return torch.zeros((len(patches), self.classes, *patches.shape[2:]))


@pytest.mark.parametrize("shape", [(60, 40, 30), (200, 7, 30)])
def test_memory_is_what_was_counted(shape: Shape) -> None:
    image, patch, classes = torch.rand(1, *shape), (8, 16, 16), 6
    counted = count_assembling(shape, patch, 1, classes, 2)
    with follow_live_bytes() as live:
        for _ in assemble_planes(image, LeanBackend(classes), patch, 0.5, "test"):
            pass
    assert counted / 2 < live.peak - image.nbytes <= counted
    assert counted < 4 * classes * image.numel()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_no_mask(value: float) -> None:
    class Damaged(LocalBackend):
        def run(self, patches: torch.Tensor) -> torch.Tensor:
            logits = super().run(patches)
            logits[0, -1, 3, 4, 5] = value
            return logits

    image = torch.randn(1, 20, 16, 16, generator=torch.Generator().manual_seed(0))
    with pytest.raises(BundleError, match="test: the logits of the network are not finite"):
        assemble(image, Damaged(), (16, 16, 16), 0.5)
