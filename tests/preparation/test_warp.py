import math

import numpy as np
import pytest
import torch

from medunet.preparation import Warp
from medunet.preparation.warp import Warped, find_box

SIZE = (24, 20, 16)


def draw_volume(channels: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    x, y, z = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (60, 50, 40)), indexing="ij")
    image = torch.from_numpy(np.stack([x + 2 * y + 3 * z] * channels))
    return image, torch.from_numpy(((x > 30) & (y > 20)).astype(np.float32)[None])


def make_warp(**more: object) -> Warp:
    return Warp(SIZE, **more)  # type: ignore[arg-type]


def test_without_probabilities_nothing_changes() -> None:
    warp = make_warp(angles=(1, 1, 1), scales=(0.5, 2))
    assert all(warp.draw(np.random.default_rng(n)) is None for n in range(20))


def test_a_quarter_turn_is_that_of_numpy() -> None:
    warp = Warp((16, 16, 8), angles=(0, 0, math.pi / 2), probabilities=(1, 0, 0, 0))
    image, label = draw_volume()
    at = np.array([30.5, 25.5, 20.5])
    plain = image[:, 23:39, 18:34, 17:25]

    class Most:
        """Draws the largest turn."""

        def random(self, count: int) -> np.ndarray:
            return np.full(count, 0.5)

        def uniform(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
            return high

    warped = warp.draw(Most())  # type: ignore[arg-type]
    assert warped is not None
    turned, _ = warp.sample(image, label, warped, at)
    assert torch.allclose(turned, torch.rot90(plain, -1, (1, 2)), atol=1e-3) or torch.allclose(
        turned, torch.rot90(plain, 1, (1, 2)), atol=1e-3
    )


def test_turns_keep_lengths_in_mm_where_voxels_are_long() -> None:
    warp = make_warp(spacing_mm=(1.0, 1.0, 2.5), angles=(1, 1, 1), probabilities=(1, 0, 0, 0))
    warped = warp.draw(np.random.default_rng(0))
    assert warped is not None
    for axis in range(3):
        steps = np.diff(warped.offsets, axis=axis + 1) * np.array([1.0, 1.0, 2.5])[:, None, None, None]
        assert np.linalg.norm(steps, axis=0) == pytest.approx([1.0, 1.0, 2.5][axis])


def test_things_get_at_most_so_much_smaller_and_larger() -> None:
    warp = make_warp(scales=(0.7, 1.4), probabilities=(0, 1, 0, 0))
    steps = [
        float(warped.offsets[0, 1, 0, 0] - warped.offsets[0, 0, 0, 0])
        for n in range(200)
        if (warped := warp.draw(np.random.default_rng(n)))
    ]
    assert len(steps) == 200
    assert 1 / 1.4 <= min(steps) < 0.75
    assert 1.3 < max(steps) <= 1 / 0.7


def test_bending_never_folds_and_moves_something() -> None:
    warp = make_warp(probabilities=(0, 0, 1, 0))
    for n in range(20):
        warped = warp.draw(np.random.default_rng(n))
        assert warped is not None
        jacobian = np.stack([np.stack(np.gradient(component)) for component in warped.offsets])
        assert np.linalg.det(jacobian.transpose(2, 3, 4, 0, 1)).min() > 0
        plain = np.stack(np.meshgrid(*(np.arange(s) - (s - 1) / 2 for s in SIZE), indexing="ij"))
        assert 0.3 < np.abs(warped.offsets - plain).max() < 8


def test_only_the_other_channels_are_out_of_place_and_the_label_is_not() -> None:
    warp = make_warp(probabilities=(0, 0, 0, 1), channels=(0, 1), shift_mm=3, spacing_mm=(1, 1, 2))
    image, label = draw_volume(channels=2)
    warped = warp.draw(np.random.default_rng(1))
    assert warped is not None
    at = np.array([30.5, 25.5, 20.5])
    moved, kept = warp.sample(image, label, warped, at)
    plain = image[:, 19:43, 16:36, 13:29]
    assert torch.allclose(moved[0], plain[0], atol=1e-3)
    assert warped.shifts is not None
    expected = float(warped.shifts[1] @ [1, 2, 3])
    assert torch.allclose(moved[1] - plain[1], torch.tensor(expected, dtype=torch.float32), atol=1e-3)
    assert np.all(np.abs(warped.shifts[1]) <= [3, 3, 1.5])
    assert torch.equal(kept, label[:, 19:43, 16:36, 13:29])


def test_what_a_patch_needs_is_in_its_box() -> None:
    warp = make_warp(angles=(1, 1, 1), scales=(0.7, 1.4), probabilities=(1, 1, 1, 1), channels=(0, 1), shift_mm=2)
    image, label = draw_volume(channels=2)
    at = np.array([30.0, 25.0, 20.0])
    for n in range(10):
        warped = warp.draw(np.random.default_rng(n))
        assert warped is not None
        first, size = find_box(warped, at, np.zeros(3, int), np.array(image.shape[1:]))
        assert np.all(first >= 0)
        assert np.all(first + size <= image.shape[1:])
        whole = warp.sample(image, label, warped, at)
        cut = (slice(None), *(slice(a, a + n) for a, n in zip(first, size, strict=True)))
        part = warp.sample(image[cut], label[cut], warped, at - first)
        assert torch.allclose(whole[0], part[0], atol=1e-2)
        assert torch.equal(whole[1], part[1])


def test_a_slice_stays_in_its_plane() -> None:
    warp = Warp((24, 20, 1), angles=(0, 0, 3), scales=(0.7, 1.4), probabilities=(1, 1, 1, 0))
    warped = warp.draw(np.random.default_rng(0))
    assert warped is not None
    assert np.all(warped.offsets[2] == 0)
    image, label = draw_volume()
    patch, _ = warp.sample(image[..., 7:8], label[..., 7:8], warped, np.array([30.0, 25.0, 0.0]))
    assert patch.shape == (1, 24, 20, 1)


def test_further_channels_of_a_label_are_taken_linearly_and_in_place() -> None:
    """Those of an image may be out of place; what a teacher tells lies where the label does."""
    warp = make_warp(channels=(0, 1), shift_mm=3.0, angles=(1, 1, 1), probabilities=(1, 0, 0, 1))
    image, label = draw_volume()
    warped = warp.draw(np.random.default_rng(0))
    assert warped is not None
    assert warped.shifts is not None
    at = np.array(image.shape[1:]) / 2
    _, alone = warp.sample(torch.cat([image, image])[:2], label, warped, at)
    _, both = warp.sample(torch.cat([image, image])[:2], torch.cat([label, image[:1]]), warped, at)
    plain, _ = warp.sample(image[:1], label, Warped(warped.offsets, None), at)
    assert torch.equal(both[:1], alone)
    assert torch.equal(both[1:], plain)
