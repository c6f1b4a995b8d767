import pytest
import torch
from plans import make_test_plan

from medunet.errors import BundleError
from medunet.networks import DeepSupervision, build_network, make_network


@pytest.mark.parametrize("dims", [2, 3])
def test_heads_exist_in_training_only_and_leave_the_state_dict_alone(dims: int) -> None:
    plan = make_test_plan(dims=dims)
    plain = build_network(make_network(plan))
    keys = set(plain.state_dict())
    network = DeepSupervision(plain, plan.network.heads)
    image = torch.randn(1, 1, *plan.window.patch[:dims])
    logits = network.train()(image)
    assert [level.shape[2:] for level in logits] == [
        image.shape[2:],
        torch.Size(n // 2 for n in image.shape[2:]),
    ]
    assert network.eval()(image).shape == (1, 2, *image.shape[2:])
    assert set(network.network.state_dict()) == keys
    assert not any("head" in key for key in keys)


def test_first_head_equals_the_plain_network() -> None:
    plan = make_test_plan()
    network = DeepSupervision(build_network(make_network(plan)), plan.network.heads)
    image = torch.randn(1, 1, *plan.window.patch)
    with torch.no_grad():
        assert torch.allclose(network.train()(image)[0], network.eval()(image), atol=1e-6)


def test_another_network_is_refused() -> None:
    with pytest.raises(BundleError, match="not DynUNet"):
        build_network({"_target_": "os.system", "command": "true"})
    with pytest.raises(BundleError, match="can't be built"):
        build_network({"_target_": "DynUNet", "spatial_dims": 3})


def test_blocks_may_be_residual() -> None:
    plan = make_test_plan()
    residual = plan.change(network={"residual": True})
    plain, other = (build_network(make_network(each)) for each in (plan, residual))
    assert "res_block" not in make_network(plan)
    assert sum(p.numel() for p in other.parameters()) > sum(p.numel() for p in plain.parameters())
    image = torch.randn(1, 1, *plan.window.patch)
    assert DeepSupervision(other, 1).train()(image)[0].shape == plain(image).shape
