import copy

import pytest
import torch
from monai.losses import DeepSupervisionLoss, DiceCELoss
from plans import make_test_plan

from medunet.networks import DeepSupervision, build_network, lay_out, make_network


@pytest.mark.parametrize("dims", [2, 3])
def test_layout_changes_neither_names_nor_results_nor_gradients(dims: int) -> None:
    torch.manual_seed(0)
    plan = make_test_plan(dims=dims)
    stock = DeepSupervision(build_network(make_network(plan)), plan.network.heads).double()
    laid = lay_out(copy.deepcopy(stock))
    assert list(laid.state_dict()) == list(stock.state_dict())
    image = 3 * torch.randn(2, plan.task.count_inputs(), *plan.window.patch[:dims], dtype=torch.float64) + 5
    label = (torch.rand(2, 1, *plan.window.patch[:dims]) > 0.7).double()
    loss = DeepSupervisionLoss(DiceCELoss(to_onehot_y=True, softmax=True))
    losses = []
    for network in (stock, laid):
        losses.append(loss(network.train()(image), label))
        losses[-1].backward()
    assert torch.allclose(*losses, rtol=1e-9)
    for (name, one), other in zip(stock.named_parameters(), laid.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-6, atol=1e-9), name
    assert torch.allclose(stock.eval()(image), laid.eval()(image), rtol=1e-6, atol=1e-9)


def test_weights_of_one_load_into_the_other() -> None:
    plan = make_test_plan()
    stock = build_network(make_network(plan))
    laid = lay_out(DeepSupervision(build_network(make_network(plan)), plan.network.heads))
    laid.network.load_state_dict(stock.state_dict())
    image = torch.randn(1, 1, *plan.window.patch)
    with torch.no_grad():
        assert torch.allclose(stock.eval()(image), laid.eval()(image), atol=1e-5)


def test_networks_of_other_blocks_stay_as_they_are() -> None:
    """A batch norm, or another network than a DynUNet, has no part here that knows the layout."""
    unet = {**make_network(make_test_plan()), "norm_name": "batch"}
    segresnet = {"_target_": "SegResNet", "in_channels": 1, "out_channels": 2, "init_filters": 8}
    for config in (unet, segresnet):
        network = DeepSupervision(build_network(config), 0)
        before = [type(part) for part in network.modules()]
        assert [type(part) for part in lay_out(network).modules()] == before
