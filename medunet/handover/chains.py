"""Whether a network sees in prediction what it saw in training: the two chains of transforms, compared as data."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from medunet.bundle import Bundle, ForeignBundle
from medunet.bundle.foreign_steps import name_target
from medunet.bundle.literals import Literals, find_entry
from medunet.findings import Finding, make_finding
from medunet.handover.references import read_configs
from medunet.preparation import make_preprocessing

PLACES = (
    *("validate::preprocessing::transforms", "train::deterministic_transforms", "train::preprocessing::transforms"),
    *("deterministic_transforms", "preprocessing::transforms"),
)
"""Where configurations of training in the zoo's conventions hold what is done to every image."""
LEFT_OUT = ("LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "ToTensord", "SaveImaged", "CopyItemsd", "Lambdad")
"""Steps that change no value that the network sees, or say so in a function that can't be compared."""
ONLY_TRAINING = ("RandCropByPosNegLabeld", "CropForegroundd", "SpatialPadd", "DivisiblePadd", "CenterSpatialCropd")
"""Steps that change which part of an image is seen, which the sliding window needn't."""
ABOUT_KEYS = ("keys", "mode", "labels", "allow_missing_keys", "_desc_", "align_corners", "padding_mode", "source_key")
DIFFERENT = "masks are of images that the network was never trained on: make both chains the same"


def check_chains(bundle: Bundle | ForeignBundle) -> Iterator[Finding]:
    """Findings where the chain of inference isn't that of training.

    Args:
        bundle: as it was opened.
    """
    if isinstance(bundle, Bundle):
        yield from _check_own(bundle)
    else:
        yield from _check_foreign(bundle)


def _check_own(bundle: Bundle) -> Iterator[Finding]:
    """Training makes its chain of the plan, so that the one of inference.json must be what the plan makes."""
    made = json.loads(json.dumps(make_preprocessing(bundle.plan)))
    found = bundle.preprocessing
    if made == found:
        return
    path = bundle.folder / "configs" / "inference.json"
    number = next((n for n, (a, b) in enumerate(zip(made, found, strict=False)) if a != b), min(len(made), len(found)))
    trained = name_target(made[number]) if number < len(made) else "nothing"
    said = f"step {number} of its chain isn't that of training, which has {trained} of plan.json there"
    yield make_finding("bundle-chain", path, said, DIFFERENT)


def _check_foreign(bundle: ForeignBundle) -> Iterator[Finding]:
    own = _summarize(bundle.inference, "preprocessing::transforms")
    for config in read_configs(bundle.folder):
        trains = "train" in config.path.stem and config.base is None
        place = next((key for key in PLACES if find_entry(config.content, key) is not None), None)
        if not trains or place is None:
            continue
        trained = _summarize(config.content, place)
        missing = [name for name, step in trained.items() if own.get(name) != step and name not in ONLY_TRAINING]
        added = [name for name in own if name not in trained and name not in ONLY_TRAINING]
        if missing or added:
            said = f"{', '.join([*missing, *added])} of its chain differs from '{place}' of {config.path.name}"
            yield make_finding("bundle-chain", bundle.path, said, DIFFERENT, "warning")


def _summarize(config: Mapping[str, Any], place: str) -> dict[str, str]:
    """Steps that change values, by name, with the arguments that decide how."""
    steps = Literals(config).read(place)
    found: dict[str, str] = {}
    for step in steps if isinstance(steps, list) else []:
        name = name_target(step)
        if not isinstance(step, dict) or name in LEFT_OUT or name.startswith("Rand"):
            continue
        kept = {key: value for key, value in step.items() if key not in ABOUT_KEYS and key != "_target_"}
        found[name] = json.dumps(kept, sort_keys=True, default=str)
    return found
