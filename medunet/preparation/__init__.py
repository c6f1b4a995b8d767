"""From a case on disk to what the network sees: one chain of MONAI transforms, made from the plan."""

from medunet.preparation.augmentation import make_augmentation
from medunet.preparation.cache import PreparedCase, prepare_case, prepare_cases
from medunet.preparation.chain import (
    find_source_grid,
    instantiate,
    locate_images,
    make_postprocessing,
    make_preprocessing,
    run_chain,
)
from medunet.preparation.objects import make_border_target, number_parts, separate_objects
from medunet.preparation.patches import PatchDataset, PatchLoader, WholeDataset
from medunet.preparation.positions import Start, place_patches
from medunet.preparation.reader import VolumeReader
from medunet.preparation.resample import resample_image, resample_labels, resample_numbers

__all__ = [
    "PatchDataset",
    "PatchLoader",
    "PreparedCase",
    "Start",
    "VolumeReader",
    "WholeDataset",
    "find_source_grid",
    "instantiate",
    "locate_images",
    "make_augmentation",
    "make_border_target",
    "make_postprocessing",
    "make_preprocessing",
    "number_parts",
    "place_patches",
    "prepare_case",
    "prepare_cases",
    "resample_image",
    "resample_labels",
    "resample_numbers",
    "run_chain",
    "separate_objects",
]
