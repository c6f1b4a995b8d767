"""From a case on disk to what the network sees: one chain of MONAI transforms, made from the plan."""

from medunet.preparation.augmentation import build_augmentation, make_augmentation, make_warp
from medunet.preparation.cache import PreparedCase, prepare_case, prepare_cases
from medunet.preparation.chain import (
    find_images,
    find_source_grid,
    find_transform,
    instantiate,
    make_decision,
    make_orientation,
    make_preprocessing,
    make_region_choice,
    make_restoring,
    run_chain,
)
from medunet.preparation.channel_dropout import RandDropChanneld
from medunet.preparation.cleaning import make_cleaning, take_cleaning
from medunet.preparation.patches import PatchDataset, PatchLoader, WholeDataset
from medunet.preparation.positions import Start, place_patches
from medunet.preparation.reader import VolumeReader
from medunet.preparation.resample import (
    Keep,
    count_resampling,
    paint_regions,
    resample_image,
    resample_labels,
    resample_numbers,
    resample_planes,
    take_largest,
    take_likely,
)
from medunet.preparation.streaming import BOX_BYTES, Foreseen, foresee_chain, stream_chain
from medunet.preparation.surroundings import RandSurroundingsd
from medunet.preparation.unknown import HideUnknownd
from medunet.preparation.warp import Warp

__all__ = [
    "BOX_BYTES",
    "Foreseen",
    "HideUnknownd",
    "Keep",
    "PatchDataset",
    "PatchLoader",
    "PreparedCase",
    "RandDropChanneld",
    "RandSurroundingsd",
    "Start",
    "VolumeReader",
    "Warp",
    "WholeDataset",
    "build_augmentation",
    "count_resampling",
    "find_images",
    "find_source_grid",
    "find_transform",
    "foresee_chain",
    "instantiate",
    "make_augmentation",
    "make_cleaning",
    "make_decision",
    "make_orientation",
    "make_preprocessing",
    "make_region_choice",
    "make_restoring",
    "make_warp",
    "paint_regions",
    "place_patches",
    "prepare_case",
    "prepare_cases",
    "resample_image",
    "resample_labels",
    "resample_numbers",
    "resample_planes",
    "run_chain",
    "stream_chain",
    "take_cleaning",
    "take_largest",
    "take_likely",
]
