"""From a plan to a 2D or 3D U-Net of MONAI's parts, and what it costs."""

from medunet.networks.cost import measure_step
from medunet.networks.precision import AutocastInferer, choose_device, choose_precision, find_vram
from medunet.networks.unet import DeepSupervision, build_network, lay_out, make_network

__all__ = [
    "AutocastInferer",
    "DeepSupervision",
    "build_network",
    "choose_device",
    "choose_precision",
    "find_vram",
    "lay_out",
    "make_network",
    "measure_step",
]
