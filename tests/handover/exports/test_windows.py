"""Patches for the comparison: two sizes, two numbers, all of the scan itself."""

import pytest
import torch
from torch import nn

from medunet.handover.exports.windows import BATCHES, Windows, choose_sizes, compare


@pytest.mark.parametrize("dims", [2, 3])
def test_patches_are_cut_from_the_scan(dims: int) -> None:
    voxels = torch.arange(2 * 6 * 7 * 5).reshape(2, 6, 7, 5)
    sizes = ((4, 4, 8)[:dims], (8, 4, 4)[:dims])
    patches = list(Windows(voxels, dims, sizes).cut())
    assert [tuple(one.shape) for one in patches] == [(batch, 2, *size) for size in sizes for batch in BATCHES]
    assert all(set(one.flatten().tolist()) <= set(voxels.flatten().tolist()) for one in patches)
    assert not torch.equal(patches[1][0], patches[1][-1])


@pytest.mark.parametrize(
    ("patch", "smallest", "sizes"),
    [
        ((56, 56, 40), 16, ((56, 56, 40), (64, 48, 32))),
        ((16, 16, 16), 16, ((16, 16, 16), (24, 24, 24))),
        ((0, 0, 0), 16, ((64, 56, 32), (72, 48, 24))),
    ],
)
def test_both_sizes_are_ones_that_the_network_takes(
    patch: tuple[int, ...], smallest: int, sizes: tuple[tuple[int, ...], ...]
) -> None:
    found = choose_sizes(patch, (66, 60, 37), smallest, 3)
    assert found == sizes
    assert all(edge % (smallest // 2) == 0 and edge >= smallest for size in found for edge in size)


def test_differences_are_counted() -> None:
    network = nn.Conv2d(1, 2, 1)
    patches = torch.rand(3, 1, 4, 4)
    assert compare(network, network, patches).difference == 0
    found = compare(network, lambda values: network(values).flip(1), patches)
    assert (found.decided_otherwise, found.voxels, found.batch, found.patch) == (48, 48, 3, (4, 4))
    assert found.difference > 0
    wrong = compare(network, lambda values: network(values)[:1], patches)
    assert (wrong.share, wrong.decided_otherwise) == (float("inf"), 48)
