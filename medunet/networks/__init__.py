"""From a plan to a 2D or 3D U-Net of MONAI's parts, and what it costs."""

from medunet.networks.cost import count_features, describe_speed, measure_step
from medunet.networks.ensemble import MeanNetwork
from medunet.networks.footprint import foresee_forward
from medunet.networks.foreign import (
    build_foreign_network,
    complete_network,
    find_arguments,
    find_network,
    list_packages,
)
from medunet.networks.layout import is_channels_last, lay_out
from medunet.networks.loss import LabelLoss, RegionLoss, find_loss, make_loss, state_loss
from medunet.networks.optimizer import Muon, make_optimizer
from medunet.networks.precision import AutocastInferer, choose_device, choose_precision, find_vram, measure_peak_vram
from medunet.networks.swap import check_stated, count_network, find_multiple, state_network, swap_network
from medunet.networks.taught import TaughtLoss
from medunet.networks.unet import DeepSupervision, build_network, make_network

__all__ = [
    "AutocastInferer",
    "DeepSupervision",
    "LabelLoss",
    "MeanNetwork",
    "Muon",
    "RegionLoss",
    "TaughtLoss",
    "build_foreign_network",
    "build_network",
    "check_stated",
    "choose_device",
    "choose_precision",
    "complete_network",
    "count_features",
    "count_network",
    "describe_speed",
    "find_arguments",
    "find_loss",
    "find_multiple",
    "find_network",
    "find_vram",
    "foresee_forward",
    "is_channels_last",
    "lay_out",
    "list_packages",
    "make_loss",
    "make_network",
    "make_optimizer",
    "measure_peak_vram",
    "measure_step",
    "state_loss",
    "state_network",
    "swap_network",
]
