"""The same U-Net without skip connections, as an option of a bundle's train.json, for `unet_claims.py`."""

from typing import Any

import torch
from torch import nn

from medunet.networks import DeepSupervision, lay_out


def lay_out_without_skips(network: DeepSupervision) -> nn.Module:
    """As `medunet.networks.lay_out`, and what the decoder hears from the encoder is silenced for good.

    In MONAI's DynUNet a decoder level concatenates what comes from below with the skip and convolves both. Here the
    weights of that convolution for the skip are 0 and get no gradient, so that layers, names and sizes stay the same
    and the trained weights are those of an ordinary bundle.

    Args:
        network: around a DynUNet.
    """
    laid = lay_out(network)
    unet: Any = laid.network
    for level in unet.upsamples:
        weight = level.conv_block.conv1.conv.weight
        mask = torch.ones_like(weight)
        mask[:, weight.shape[1] // 2 :] = 0
        with torch.no_grad():
            weight.mul_(mask)
        weight.register_hook(mask.mul)
    return laid
