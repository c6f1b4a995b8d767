import pytest
import torch
from monai.losses import DeepSupervisionLoss, DiceCELoss, DiceLoss
from torch.nn import functional

from medunet.networks import LabelLoss
from medunet.networks.loss import split_regions

REGIONS = [[1, 2, 3], [2, 3], [3]]


def draw(channels: int, values: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn((2, channels, 8, 8, 6), generator=generator)
    return logits, torch.randint(0, values, (2, 1, 8, 8, 6), generator=generator).float()


def hide(label: torch.Tensor, value: float) -> torch.Tensor:
    hidden = label.clone()
    hidden[..., :4, :] = value
    return hidden


def test_where_nothing_is_ignored_it_is_that_of_monai() -> None:
    logits, label = draw(3, 3)
    stock = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
    assert float(LabelLoss(ignore=3)(logits, label)) == pytest.approx(float(stock(logits, label)), abs=1e-6)


def test_regions_have_dice_and_binary_cross_entropy_each() -> None:
    logits, label = draw(3, 4)
    target = torch.cat([(label >= low).float() for low in (1, 2, 3)], dim=1)
    assert torch.equal(split_regions(label, REGIONS).float(), target)
    expected = DiceLoss(sigmoid=True, batch=True)(logits, target)
    expected += functional.binary_cross_entropy_with_logits(logits, target)
    assert float(LabelLoss(REGIONS)(logits, label)) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("regions", [[], REGIONS])
def test_what_is_ignored_changes_neither_loss_nor_gradient(regions: list[list[int]]) -> None:
    logits, label = draw(3 if regions else 4, 4)
    label = hide(label, 9)
    loss = DeepSupervisionLoss(LabelLoss(regions, ignore=9))
    other = logits.clone()
    other[..., :4, :] = draw(logits.shape[1], 4, seed=1)[0][..., :4, :]
    results = []
    for values in (logits, other):
        # The coarser level sees the label map downsampled by its nearest voxels, which all are ignored in this half.
        levels = [values.clone().requires_grad_(), values[..., ::2, ::2, ::2].clone().requires_grad_()]
        loss(levels, label).backward()
        assert all(float(level.grad[..., : level.shape[-2] // 2, :].abs().sum()) == 0 for level in levels)  # type: ignore[index]
        results.append((float(loss(levels, label).detach()), levels[0].grad, levels[1].grad))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])
    assert torch.equal(results[0][2], results[1][2])
    # It is the loss of the other half alone.
    half = LabelLoss(regions, ignore=9)(logits[..., 4:, :], label[..., 4:, :])
    assert float(LabelLoss(regions, ignore=9)(logits, label)) == pytest.approx(float(half), abs=1e-5)


@pytest.mark.parametrize("regions", [[], REGIONS])
def test_a_patch_that_nobody_looked_at_teaches_nothing(regions: list[list[int]]) -> None:
    logits = draw(3, 3)[0].requires_grad_()
    loss = LabelLoss(regions, ignore=9)(logits, torch.full((2, 1, 8, 8, 6), 9.0))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0)
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) == 0
