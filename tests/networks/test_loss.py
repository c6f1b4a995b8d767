from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigComponent
from monai.losses import DeepSupervisionLoss, DiceCELoss, DiceLoss, FocalLoss, TverskyLoss
from plans import make_test_plan
from torch.nn import functional

from medunet.errors import BundleError
from medunet.labels import LabelTable, Region
from medunet.networks import LabelLoss, RegionLoss, find_loss, make_loss, state_loss
from medunet.networks.loss import build_loss, split_regions
from medunet.partial import pack_unknown
from medunet.planning import Plan

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


def test_the_loss_of_a_plan() -> None:
    nested = (Region(name="whole", values=(1, 2), value=2), Region(name="core", values=(1,), value=1))
    table = LabelTable.from_names(["a", "b"]).model_copy(update={"ignore": 255, "regions": nested})
    plan = make_test_plan()
    assert make_loss(plan)["_target_"] == "DiceCELoss"
    assert make_loss(plan.change(task={"labels": table})) == {
        "_target_": "medunet.networks.LabelLoss",
        "regions": [[1, 2], [1]],
        "ignore": 255,
    }


def attach(label: torch.Tensor, unknown: Sequence[Sequence[int]]) -> torch.Tensor:
    """A label map in whose samples these labels are unknown: as background, with the channels that say it."""
    label, codes = label.clone(), torch.tensor(np.array([pack_unknown(values, 1) for values in unknown]))
    for sample, values in zip(label, unknown, strict=True):
        sample[torch.isin(sample, torch.tensor(values))] = 0
    return torch.cat([label, codes[:, :, None, None, None].expand(-1, -1, *label.shape[2:])], 1)


def test_the_gradient_at_unknown_voxels_is_that_of_the_marginal_loss() -> None:
    logits, label = draw(4, 4)
    label = attach(label, [[1, 3], []])
    loss = LabelLoss()
    # Written down once more: probabilities, of which those that can't be told apart are added; Dice where it is known.
    own = logits.clone().requires_grad_()
    shares = own.softmax(1)
    one_hot = functional.one_hot(label[:, 0].long(), 4).movedim(-1, 1).float()
    certain = (shares * one_hot).sum(1)
    first = torch.where(label[0, 0] == 0, shares[0, 0] + shares[0, 1] + shares[0, 3], certain[0])
    entropy = -torch.log(torch.stack([first, certain[1]])).mean()
    dice = []
    for value, samples in ((1, [1]), (2, [0, 1]), (3, [1])):
        p, t = shares[samples, value], one_hot[samples, value]
        dice.append(1 - (2 * (p * t).sum() + 1e-5) / (p.sum() + t.sum() + 1e-5))
    (entropy + torch.stack(dice).mean()).backward()
    found = logits.clone().requires_grad_()
    loss(found, label).backward()
    assert own.grad is not None
    assert found.grad is not None
    torch.testing.assert_close(found.grad, own.grad, rtol=1e-4, atol=1e-8)
    # What is none of the known labels says nothing of which of the others it is.
    places = (label[0, 0] == 0).nonzero().T
    unnamed = found.grad[0][:, *places] / logits[0].softmax(0)[:, *places]
    only_entropy = unnamed[[0, 1, 3]] - unnamed[[0, 1, 3]].mean(0)
    assert float(only_entropy.abs().max()) < 1e-6
    # As background it would be another one.
    blind = logits.clone().requires_grad_()
    loss(blind, label[:, :1]).backward()
    assert blind.grad is not None
    assert float((blind.grad - found.grad)[0].abs().max()) > 1e-4


@pytest.mark.parametrize("how", [{}, {"focus": 2.0}, {"weights": (0.3, 0.7)}, {"ignore": 9}])
@pytest.mark.parametrize("regions", [[], REGIONS])
def test_where_all_labels_are_known_codes_change_nothing(how: dict[str, Any], regions: list[list[int]]) -> None:
    logits, label = draw(3 if regions else 4, 4)
    label = hide(label, 9) if "ignore" in how else label
    plain = LabelLoss(regions, **how)(logits, label)
    coded = LabelLoss(regions, **how)(logits, attach(label, [[], []]))
    assert float(coded) == pytest.approx(float(plain), abs=1e-6)


def test_a_region_with_an_unknown_label_is_known_where_a_known_one_of_its_own_is() -> None:
    logits, label = draw(3, 4)
    label = attach(label, [[3], [1, 2, 3]])
    found = logits.clone().requires_grad_()
    DeepSupervisionLoss(LabelLoss(REGIONS))([found], label).backward()
    assert found.grad is not None
    for number, values in enumerate(([1, 2], [2], [])):
        taught = found.grad[0, number] != 0
        assert torch.equal(taught, torch.isin(label[0, 0], torch.tensor(values)))
    assert float(found.grad[1].abs().sum()) == 0


def test_the_loss_of_a_plan_whose_cases_are_partial() -> None:
    plan = make_test_plan().change(training={"partial": True})
    assert make_loss(plan)["_target_"] == "medunet.networks.LabelLoss"
    with pytest.raises(BundleError, match="some cases don't tell of all labels; take dice_ce"):
        build_loss(plan.change(training={"loss": {"_target_": "DiceLoss"}}))


@pytest.mark.parametrize("loss", ["dice_focal", "tversky_ce"])
def test_losses_for_small_labels_are_those_of_monai(loss: str) -> None:
    logits, label = draw(3, 3)
    one_hot = functional.one_hot(label[:, 0].long(), 3).movedim(-1, 1).float()
    if loss == "dice_focal":
        # MONAI's sums the classes' focal losses; of one hot that is the true class's alone.
        focal = FocalLoss(to_onehot_y=True, use_softmax=True, gamma=2.0, reduction="none")(logits, label)
        expected = DiceLoss(include_background=False, softmax=True, batch=True)(logits, one_hot) + focal.sum(1).mean()
    else:
        overlap = TverskyLoss(include_background=False, softmax=True, batch=True, alpha=0.3, beta=0.7)
        expected = overlap(logits, one_hot) + functional.cross_entropy(logits, label[:, 0].long())
    plan = make_test_plan().change(training={"loss": loss})
    ours = ConfigComponent(config=make_loss(plan)).instantiate()
    assert float(ours(logits, label)) == pytest.approx(float(expected), abs=1e-5)


def test_missing_costs_more_than_too_much_where_labels_are_small() -> None:
    label = torch.zeros((1, 1, 8, 8, 8))
    label[..., 2:6, 2:6, 2:6] = 1
    levels = []
    for size in (2, 6):
        found = torch.zeros((1, 8, 8, 8))
        found[..., 4 - size // 2 : 4 + size // 2, 2:6, 2:6] = 8
        levels.append(torch.stack([4 - found, found - 4], dim=1))
    missed, too_much = (float(LabelLoss(weights=(0.3, 0.7))(logits, label)) for logits in levels)
    even = [float(LabelLoss()(logits, label)) for logits in levels]
    assert missed - too_much > even[0] - even[1] > 0


def give_loss(table: LabelTable, **loss: object) -> Plan:
    plan = make_test_plan()
    return plan.change(task={"labels": table}, training={"loss": {"_target_": "DiceLoss", **loss}})


NESTED = (Region(name="whole", value=1, values=(1, 2)), Region(name="core", value=2, values=(2,)))
OVERLAPPING = LabelTable.from_names(["a", "b"]).model_copy(update={"regions": NESTED})
"""Two regions, one in the other."""


def test_another_loss_of_monai_gets_what_the_labels_need() -> None:
    plan = give_loss(LabelTable.from_names(["a"]), batch=True)
    loss = state_loss(plan.training.loss, plan)  # type: ignore[arg-type]
    assert loss == {"_target_": "DiceLoss", "batch": True, "to_onehot_y": True, "softmax": True}
    logits, label = draw(2, 2)
    plan = plan.change(training={"loss": loss})
    assert torch.equal(
        build_loss(plan)(logits, label), DiceLoss(batch=True, to_onehot_y=True, softmax=True)(logits, label)
    )


def test_another_loss_over_regions_sees_each_of_them() -> None:
    plan = give_loss(OVERLAPPING)
    loss = state_loss(plan.training.loss, plan)  # type: ignore[arg-type]
    assert loss == {"_target_": "DiceLoss", "to_onehot_y": False, "softmax": False, "sigmoid": True}
    plan = plan.change(training={"loss": loss})
    assert make_loss(plan)["regions"] == [[1, 2], [2]]
    logits, label = draw(2, 3)
    wanted = DiceLoss(sigmoid=True)(logits, split_regions(label, [[1, 2], [2]]).float())
    assert torch.equal(build_loss(plan)(logits, label), wanted)
    assert torch.equal(RegionLoss(DiceLoss(sigmoid=True), [[1, 2], [2]])(logits, label), wanted)


@pytest.mark.parametrize(
    ("table", "loss", "said"),
    [
        (OVERLAPPING, {"softmax": True}, "softmax of DiceLoss is True, .* whose labels overlap"),
        (
            LabelTable.from_names(["a"]),
            {"to_onehot_y": False},
            "to_onehot_y of DiceLoss is False, .* exclude each other",
        ),
        (
            LabelTable.from_names(["a"]).model_copy(update={"ignore": 9}),
            {},
            "DiceLoss counts every voxel, but the value 9",
        ),
        (
            LabelTable.from_names(["a"]),
            {"_target_": "DiceLos"},
            "'DiceLos' is no loss of MONAI's; did you mean 'DiceLoss'",
        ),
        (LabelTable.from_names(["a"]), {"bach": True}, "has no argument 'bach'; did you mean 'batch'"),
        (LabelTable.from_names(["a"]), {"reduction": 3, "other_act": 3}, "DiceLoss can't be built"),
    ],
)
def test_a_loss_that_does_not_suit_the_labels(table: LabelTable, loss: dict[str, object], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        build_loss(give_loss(table, **loss))


def test_losses_are_those_of_monai() -> None:
    assert find_loss({"_target_": "DiceLoss"}) is DiceLoss
    assert [find_loss({"_target_": name}) for name in ("os.system", "deprecated_arg", "dice")] == [None] * 3
