import torch
from monai.networks.nets import DynUNet
from torch import nn

from medunet.networks import foresee_forward


def test_what_lives_together_is_counted() -> None:
    network = nn.Sequential(nn.ReLU(), nn.Sigmoid(), nn.Tanh())
    # Input and output of one step, three times as the input is kept by its caller.
    assert foresee_forward(network, (1, 2, 10, 10, 10)) == 3 * 4 * 2000


def test_a_convolution_has_copies_in_blocks() -> None:
    network = nn.Conv3d(1, 20, 1)
    voxels = 4 * 1000
    assert foresee_forward(network, (1, 1, 10, 10, 10)) == voxels * (1 + 20 + 16 + 32)


def test_a_network_grows_with_patches_and_stays_as_it_is() -> None:
    kernels, strides = [3, 3, 3], [1, 2, 2]
    network = DynUNet(3, 1, 2, kernels, strides, strides[1:], filters=[8, 16, 32]).eval()
    before = [weight.clone() for weight in network.parameters()]
    one, two = (foresee_forward(network, (batch, 1, 16, 16, 16)) for batch in (1, 2))
    assert two == 2 * one
    assert one > 4 * 8 * 16**3
    assert all(map(torch.equal, before, network.parameters()))
