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
    with pytest.raises(BundleError, match="no segmentation network of MONAI that medunet knows"):
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


def test_a_network_of_another_kind_gives_what_it_gives() -> None:
    common = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "init_filters": 8, "blocks_down": [1, 1]}
    image = torch.rand(1, 1, 16, 16, 16)
    plain = DeepSupervision(build_network({"_target_": "SegResNet", **common, "blocks_up": [1]}), 0).train()
    assert plain(image).shape == (1, 2, 16, 16, 16)
    deep = DeepSupervision(build_network({"_target_": "SegResNetDS", **common, "dsdepth": 2}), 0)
    assert isinstance(deep.train()(image), list | torch.Tensor)
    assert deep.eval()(image).shape == (1, 2, 16, 16, 16)
    assert {name.partition(".")[0] for name in plain.state_dict()} == {"network"}
