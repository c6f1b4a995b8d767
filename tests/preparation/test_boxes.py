import numpy as np
import pytest
import torch
from monai.networks.layers import AffineTransform

from medunet.preparation.boxes import Positions, Window, cut_result


def make_positions(seed: int, align: bool, oblique: bool) -> Positions:
    generator = np.random.default_rng(seed)
    shapes = generator.integers(3, 40, (2, 3)).tolist()
    xform = torch.eye(4, dtype=torch.float64)
    xform[:3, :3] = torch.from_numpy(
        np.diag(generator.uniform(0.3, 2, 3)) + generator.normal(size=(3, 3)) * 0.3 * oblique
    )
    xform[:3, 3] = torch.from_numpy(generator.normal(size=3))
    return Positions(xform, tuple(shapes[0]), tuple(shapes[1]), align)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("oblique", [False, True])
def test_boxes_hold_the_values_of_monai_to_the_last_bit(seed: int, align: bool, oblique: bool) -> None:
    positions = make_positions(seed, align, oblique)
    image = torch.randn(2, *positions.source, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    move = AffineTransform(padding_mode="border", align_corners=align, reverse_indexing=True)
    whole = move(image[None], positions.xform, positions.shape)[0]
    order = np.random.default_rng(seed).permutation(3).tolist()
    window = Window(image.shape, order, torch.float64)
    found = torch.full_like(whole, torch.nan)
    for part in cut_result(positions, order, lambda source, made: source + made, 2000):
        places = positions.find(part)
        window.fill(positions.bound(places), lambda box: image[(slice(None), *box)])
        values = torch.nn.functional.grid_sample(
            window.values[None], places, padding_mode="border", align_corners=align
        )
        assert found[(slice(None), *part)].isnan().all()
        found[(slice(None), *part)] = values[0]
        window.clear()
    assert torch.equal(found, whole)


def test_a_window_is_empty_once_it_was_cleared() -> None:
    window = Window((1, 1 << 12, 1 << 10, 1 << 10), (2, 0, 1), torch.float32)
    window.fill((slice(5, 6), slice(0, 2), slice(0, 2)), lambda _: torch.ones(1, 1, 2, 2))
    assert window.values[0, 5, 1, 1] == 1
    window.clear()
    assert window.values[0, 5, 1, 1] == 0


def test_boxes_follow_the_planes_of_the_image() -> None:
    xform = torch.diag(torch.tensor([0.5, 0.5, 0.5, 1.0], dtype=torch.float64))
    positions = Positions(xform, (20, 20, 20), (40, 40, 40), False)
    for part in cut_result(positions, [2, 1, 0], lambda source, made: source + made, 20_000):
        assert [side.stop - side.start for side in part[:2]] == [40, 40]
