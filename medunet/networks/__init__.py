"""From a plan to a 2D or 3D U-Net of MONAI's parts, and what it costs."""

from medunet.networks.cost import measure_step
from medunet.networks.layout import lay_out
from medunet.networks.optimizer import Muon
from medunet.networks.precision import AutocastInferer, choose_device, choose_precision
from medunet.networks.unet import DeepSupervision, build_network, make_network

__all__ = [
    "AutocastInferer",
    "DeepSupervision",
    "Muon",
    "build_network",
    "choose_device",
    "choose_precision",
    "lay_out",
    "make_network",
    "measure_step",
]
