"""Memory layout of a network on a CPU: channels last, with a norm that stays in it."""

from typing import Any

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock
from monai.networks.nets import DynUNet
from torch import nn
from torch.autograd.function import once_differentiable

from medunet.networks.precision import choose_precision
from medunet.networks.unet import DeepSupervision


class NormActivation(nn.Module):
    """Instance norm and leaky ReLU in one pass over channels-last memory.

    torch's instance norm copies such tensors to channels first and back, and the backward pass of its group norm
    doesn't use all cores: together a fifth to a third of a training step with AVX2.

    Args:
        norm: whose weight, bias and eps are taken; their names in the state dict stay the same.
        slope: of the leaky ReLU.
    """

    def __init__(self, norm: nn.InstanceNorm2d | nn.InstanceNorm3d, slope: float) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        self.eps = norm.eps
        self.slope = slope

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, C, …) float32 to the same shape, channels last."""
        result: torch.Tensor = _NormActivation.apply(features, self.weight, self.bias, self.eps, self.slope)
        return result


class _NormActivation(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float, slope: float
    ) -> torch.Tensor:
        rows = _to_rows(features)
        centred = rows - rows.mean(1, keepdim=True)
        variance = torch.linalg.vector_norm(centred, dim=1, keepdim=True).square_().div_(rows.shape[1])
        inverse = variance.add_(eps).rsqrt_()
        result = nn.functional.leaky_relu_(torch.addcmul(bias, centred, inverse * weight), slope)
        ctx.save_for_backward(centred, result, inverse, weight)
        ctx.slope, ctx.shape = slope, features.shape
        return _from_rows(result, features.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        centred, result, inverse, weight = ctx.saved_tensors
        # The sign of the result is that of what went into the leaky ReLU.
        inner = torch.ops.aten.leaky_relu_backward(_to_rows(gradient), result, ctx.slope, True)
        total = inner.sum(1, keepdim=True)
        along = (inner * centred).sum(1, keepdim=True)
        scale, count = weight * inverse, centred.shape[1]
        rows = torch.addcmul(-scale * total / count, inner, scale)
        rows.addcmul_(centred, -scale * inverse.square() * along / count)
        return _from_rows(rows, ctx.shape), (along * inverse).sum(0)[0], total.sum(0)[0], None, None


def _to_rows(features: torch.Tensor) -> torch.Tensor:
    """(B, C, …) to (B, voxels, C); no copy where it lies channels last."""
    return features.movedim(1, -1).flatten(1, -2)


def _from_rows(rows: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    return rows.unflatten(1, shape[2:]).movedim(-1, 1)


def lay_out(network: DeepSupervision) -> DeepSupervision:
    """Choose the memory layout on a CPU; weights, their names and results stay the same.

    A network on a GPU, one that computes in bfloat16, and one that isn't of medunet's blocks, is left as it is.
    """
    blocks = [block for block in network.modules() if isinstance(block, UnetBasicBlock)]
    ours = isinstance(network.network, DynUNet) and all(map(_is_ours, blocks))
    if not ours or not is_channels_last(next(network.parameters()).device):
        return network
    for block in blocks:
        slope = block.lrelu.negative_slope
        block.norm1, block.norm2 = NormActivation(block.norm1, slope), NormActivation(block.norm2, slope)
        block.lrelu = nn.Identity()
    layout = torch.channels_last if network.network.spatial_dims == 2 else torch.channels_last_3d
    return network.to(memory_format=layout)  # type: ignore[call-overload]


def _is_ours(block: UnetBasicBlock) -> bool:
    norms = isinstance(block.norm1, nn.InstanceNorm2d | nn.InstanceNorm3d) and block.norm1.affine
    return norms and not block.norm1.track_running_stats and isinstance(block.lrelu, nn.LeakyReLU)


def is_channels_last(device: torch.device) -> bool:
    """Whether networks are trained with channels last on a device: in float32 on a CPU."""
    return device.type == "cpu" and choose_precision(device) == torch.float32
