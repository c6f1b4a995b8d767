"""A MONAI bundle as a record: written from a plan, opened, checked, its weights loaded strictly."""

from medunet.bundle.adjusting import adjust_recipe
from medunet.bundle.check import check_bundle
from medunet.bundle.configs import Makers, make_evaluate_config, make_inference_config
from medunet.bundle.folder import Bundle, find_stale, open_bundle, rewrite_bundle, write_bundle
from medunet.bundle.foreign import ForeignBundle, Reading, find_config, open_any_bundle, read_foreign, take_recipe
from medunet.bundle.metadata import Metadata, TrainingFacts, TrainingImages, hide_images, make_metadata
from medunet.bundle.parts import Decision, Evaluated, Recipe, Window
from medunet.bundle.recipe import choose_decision, make_recipe
from medunet.bundle.seen import Seen, TrustFacts, read_seen, summarize_seen
from medunet.bundle.series import find_rules
from medunet.bundle.shipped import list_shipped, locate_bundle
from medunet.bundle.source import Source, fit_source, match_outputs, read_source
from medunet.bundle.temperature import find_calibration, read_calibration, write_calibration
from medunet.bundle.weights import (
    find_weights,
    join_hashes,
    load_weights,
    publish_folds,
    publish_weights,
    read_weights,
    save_tensors,
    write_weights,
)

__all__ = [
    "Bundle",
    "Decision",
    "Evaluated",
    "ForeignBundle",
    "Makers",
    "Metadata",
    "Reading",
    "Recipe",
    "Seen",
    "Source",
    "TrainingFacts",
    "TrainingImages",
    "TrustFacts",
    "Window",
    "adjust_recipe",
    "check_bundle",
    "choose_decision",
    "find_calibration",
    "find_config",
    "find_rules",
    "find_stale",
    "find_weights",
    "fit_source",
    "hide_images",
    "join_hashes",
    "list_shipped",
    "load_weights",
    "locate_bundle",
    "make_evaluate_config",
    "make_inference_config",
    "make_metadata",
    "make_recipe",
    "match_outputs",
    "open_any_bundle",
    "open_bundle",
    "publish_folds",
    "publish_weights",
    "read_calibration",
    "read_foreign",
    "read_seen",
    "read_source",
    "read_weights",
    "rewrite_bundle",
    "save_tensors",
    "summarize_seen",
    "take_recipe",
    "write_bundle",
    "write_calibration",
    "write_weights",
]
