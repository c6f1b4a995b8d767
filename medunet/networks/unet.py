"""U-Nets of MONAI's DynUNet, with deep-supervision heads that exist in training only."""

from collections.abc import Mapping
from typing import Any

import torch
from monai.networks.blocks.dynunet_block import UnetOutBlock
from monai.networks.nets import DynUNet
from torch import nn

from medunet.errors import BundleError
from medunet.networks.foreign import build_foreign_network
from medunet.planning import Plan


def make_network(plan: Plan) -> dict[str, Any]:
    """MONAI `_target_` dictionary of the network of a plan: its spatial axes, one logit a class or region."""
    shape = plan.network
    if shape.given is not None:
        return dict(shape.given.definition)
    dims = shape.dims
    kernels = [list(kernel[:dims]) for kernel in shape.kernels]
    strides = [list(stride[:dims]) for stride in shape.strides]
    return {
        "_target_": "DynUNet",
        "spatial_dims": dims,
        "in_channels": plan.task.count_inputs(),
        "out_channels": len(plan.task.name_classes()),
        "kernel_size": kernels,
        "strides": strides,
        "upsample_kernel_size": strides[1:],
        "filters": list(shape.filters),
        "norm_name": ["INSTANCE", {"affine": True}],
        **({"res_block": True} if shape.residual else {}),
    }


def build_network(config: Mapping[str, Any]) -> nn.Module:
    """Build a network from its dictionary: a DynUNet, or another of MONAI's, since a stranger's bundle is data.

    Raises:
        BundleError: it names another network, or arguments that don't fit.
    """
    arguments = dict(config)
    target = arguments.pop("_target_", None)
    if target != "DynUNet":
        return build_foreign_network(config)
    try:
        return DynUNet(**arguments)
    except Exception as error:
        raise BundleError("network_def", f"DynUNet can't be built ({error})", "restore inference.json") from error


class DeepSupervision(nn.Module):
    """A DynUNet that in training also gives the logits of its coarser decoder levels, each at its own size.

    MONAI's own heads are upsampled to full size and stay in the state dict; these live beside the network, whose
    weights are those of the plain `network` at all times. A network of another kind gives what it gives.

    Args:
        network: built without deep supervision.
        heads: coarser levels that get one; none of a network that is no DynUNet.

    Returns of a call: in training a list of logits, finest first, or of another network its logits; in evaluation the
    logits of `network`.
    """

    def __init__(self, network: nn.Module, heads: int) -> None:
        super().__init__()
        self.network = network
        unet: Any = network
        self.heads = nn.ModuleList(
            UnetOutBlock(unet.spatial_dims, unet.filters[level], unet.out_channels, dropout=None)
            for level in range(1, heads + 1)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """See the class."""
        unet: Any = self.network
        if not (self.training and isinstance(unet, DynUNet)):
            logits: torch.Tensor | list[torch.Tensor] = unet(image)
            return logits
        skips = [unet.input_block(image)]
        for down in unet.downsamples:
            skips.append(down(skips[-1]))
        features = unet.bottleneck(skips[-1])
        decoded: list[torch.Tensor] = []
        for up, skip in zip(unet.upsamples, reversed(skips), strict=True):
            features = up(features, skip)
            decoded.insert(0, features)
        coarser = zip(self.heads, decoded[1:], strict=False)
        return [unet.output_block(decoded[0]), *(head(level) for head, level in coarser)]
