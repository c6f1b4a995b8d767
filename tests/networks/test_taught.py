import pytest
import torch
from monai.losses import DeepSupervisionLoss
from plans import make_test_plan
from torch import nn
from torch.nn import functional

from medunet.networks import LabelLoss, TaughtLoss, make_loss, measure_step
from medunet.networks.loss import build_loss
from medunet.partial import pack_unknown
from medunet.planning import Teacher

TEACHER = Teacher(name="t", version="1", weights_sha256="0" * 64, weight=0.5)


class Silent(nn.Module):
    """Labels say nothing."""

    def forward(self, logits: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return 0 * logits.sum()


def draw(classes: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, labels and probabilities of the labels, (2, …, 4, 4, 4)."""
    torch.manual_seed(0)
    logits = torch.randn(2, classes, 4, 4, 4, requires_grad=True)
    label = torch.randint(0, classes, (2, 1, 4, 4, 4)).float()
    told = torch.randn(2, classes, 4, 4, 4).softmax(1)[:, 1:]
    return logits, label, told


def test_the_loss_is_that_of_the_labels_and_the_divergence_from_the_teacher() -> None:
    logits, label, told = draw()
    hard = LabelLoss()
    whole = torch.cat([1 - told.sum(1, True), told], 1)
    wanted = hard(logits, label) + 0.5 * functional.kl_div(logits.log_softmax(1), whole, reduction="none").sum(1).mean()
    found = TaughtLoss(hard, 2, True, 0.5)(logits, torch.cat([label, told], 1))
    torch.testing.assert_close(found, wanted)
    exact = TaughtLoss(hard, 2, True, 100.0)(whole.log(), torch.cat([label, told], 1))
    torch.testing.assert_close(exact, hard(whole.log(), label), atol=1e-4, rtol=0)


def test_regions_overlap_each_with_its_own_probability() -> None:
    logits, label, _ = draw(2)
    told = torch.rand(2, 2, 4, 4, 4)
    told[0, 0, 0, 0] = torch.tensor([0.0, 1.0, 1.0, 0.0])
    rounded = torch.where(told == 1, 1 + 1e-6, torch.where(told == 0, -1e-6, told))
    hard = LabelLoss(regions=[[1, 2], [2]])
    own = -torch.xlogy(told, told) - torch.xlogy(1 - told, 1 - told)
    divergence = (functional.binary_cross_entropy_with_logits(logits, told, reduction="none") - own).sum(1).mean()
    found = TaughtLoss(hard, 2, False)(logits, torch.cat([label, rounded], 1))
    torch.testing.assert_close(found, hard(logits, label) + divergence)


def test_where_labels_are_unknown_or_ignored_the_teacher_alone_teaches() -> None:
    """Label 2 is unknown in the first sample, all are in the second; of the ignored voxels nothing else is known."""
    logits, label, told = draw()
    label[0] = torch.where(label[0] == 2, 0, label[0])
    label[1] = 0
    codes = torch.tensor([pack_unknown(values, 1).item() for values in ([2], [1, 2])])
    codes = codes[:, None, None, None, None].expand(2, 1, 4, 4, 4)
    alone = TaughtLoss(Silent(), 2, True)(logits, torch.cat([label, told], 1))
    (soft,) = torch.autograd.grad(alone, logits)
    taught = TaughtLoss(LabelLoss(), 2, True)(logits, torch.cat([label, told, codes], 1))
    (both,) = torch.autograd.grad(taught, logits)
    torch.testing.assert_close(both[1], soft[1])
    assert both[1].abs().sum() > 0
    assert not torch.allclose(both[0], soft[0])
    ignored = torch.full_like(label, 255)
    taught = TaughtLoss(LabelLoss(ignore=255), 2, True)(logits, torch.cat([ignored, told], 1))
    (found,) = torch.autograd.grad(taught, logits)
    torch.testing.assert_close(found, soft)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_plan_with_a_teacher_has_this_loss_on_all_levels(dims: int) -> None:
    plan = make_test_plan(dims=dims).change(training={"teacher": TEACHER})
    config = make_loss(plan)
    assert (config["_target_"], config["count"], config["weight"]) == ("medunet.networks.TaughtLoss", 1, 0.5)
    assert config["loss"] == make_loss(make_test_plan(dims=dims))
    size, half = (16, 16, 16)[:dims], (8, 8, 8)[:dims]
    levels = [torch.randn(2, 2, *size), torch.randn(2, 2, *half)]
    label = torch.cat([torch.zeros(2, 1, *size), torch.rand(2, 1, *size)], 1)
    assert DeepSupervisionLoss(build_loss(plan))(levels, label) > 0
    assert measure_step(plan) > 0
