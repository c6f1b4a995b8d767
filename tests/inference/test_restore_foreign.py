"""The way back from a chain of MONAI's, beside MONAI's own inverse on the same outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from zoo import INVERT, oriented, write_scan

from medunet.bundle import Decision, Recipe, Window
from medunet.errors import BundleError
from medunet.geometry import Grid
from medunet.inference.restore_foreign import lay_slices, restore_foreign
from medunet.labels import LabelTable
from medunet.preparation import instantiate, run_chain
from medunet.reading import find_image
from medunet.task import Task

TASK = Task(channels=("ct",), modalities={"ct": "CT"}, labels=LabelTable.from_names(["a", "b"]))
LOAD, FIRST, RAS, SPACING = ({**step, "keys": ["image"]} for step in oriented((3.0, 3.0, 4.0))[:4])
CROP = {"_target_": "SpatialCropd", "keys": ["image"], "roi_start": [3, 2, 4], "roi_end": [14, 12, 11]}
PAD = {"_target_": "SpatialPadd", "keys": ["image"], "spatial_size": [24, 6, 20]}
FOUND = {"_target_": "CropForegroundd", "keys": ["image"], "source_key": "image", "margin": 1, "k_divisible": 4}
RESIZE = {"_target_": "Resized", "keys": ["image"], "spatial_size": [20, 18, 14], "mode": "trilinear"}
CHAINS: dict[str, list[dict[str, Any]]] = {
    "as stored": [FIRST],
    "spacing": [FIRST, RAS, SPACING],
    "resized": [FIRST, RAS, RESIZE],
    "zoomed": [FIRST, {"_target_": "Zoomd", "keys": ["image"], "zoom": 1.3, "keep_size": False, "mode": "trilinear"}],
    "cropped last": [FIRST, RAS, SPACING, CROP],
    "cropped, then padded": [FIRST, RAS, SPACING, CROP, PAD],
    "padded, then cropped": [FIRST, RAS, SPACING, PAD, CROP],
    "foreground": [FIRST, RAS, SPACING, {"_target_": "ShiftIntensityd", "keys": ["image"], "offset": -60}, FOUND],
    "flipped and turned": [FIRST, {"_target_": "Flipd", "keys": ["image"], "spatial_axis": 0}, SPACING],
    "cropped first": [FIRST, CROP, RAS, SPACING],
}

MOVED = {"resized", "zoomed"}
"""Chains through which MONAI brings back the nearest voxel by an index rounded down, up to half a voxel off."""


def make_recipe(decision: Decision, chain: list[dict[str, Any]], restoring: Any = "linear", axis: int = 2) -> Recipe:
    return Recipe(
        name="b",
        version="0",
        task=TASK,
        inputs=("image",),
        preprocessing=(LOAD, *chain),
        network={},
        window=Window((8, 8, 8), 0.5, "constant", 3, axis=axis),
        restoring=restoring,
        decision=decision,
        origin="elsewhere",
    )


def restore(outputs: torch.Tensor, image: MetaTensor, recipe: Recipe) -> np.ndarray:
    turned, affine = lay_slices(outputs, np.asarray(image.affine), recipe.window.axis)
    planes = (turned[:, i] for i in range(turned.shape[1]))
    return restore_foreign(planes, Grid(turned.shape[1:], affine), image, recipe, "scan").voxels


def invert(outputs: torch.Tensor, path: Path, chain: list[dict[str, Any]], nearest: bool) -> torch.Tensor:
    """What MONAI brings back, whose chain is run anew since its steps must be those that undo it."""
    whole = Compose(instantiate([LOAD, *chain]))
    data = whole({"image": str(path)})
    step = {**INVERT, "transform": whole, "orig_keys": "image", "nearest_interp": nearest}
    made = Invertd(**{key: value for key, value in step.items() if key != "_target_"})
    return made({**data, "pred": MetaTensor(outputs)})["pred"]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan(tmp_path_factory.mktemp("scan") / "scan.nii.gz")


def prepare(scan: Path, chain: list[dict[str, Any]], outputs: int) -> tuple[MetaTensor, torch.Tensor]:
    image = run_chain([LOAD, *chain], {"image": find_image(scan)})
    noise = torch.rand((outputs, *image.shape[1:]), generator=torch.Generator().manual_seed(3))
    return image, noise * 4 - 2


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("axis", [2, 0])
def test_probabilities_come_back_as_by_monai(name: str, axis: int, scan: Path) -> None:
    chain = CHAINS[name]
    image, outputs = prepare(scan, chain, 3)
    decision = Decision("largest", (0, 1, 2), "softmax")
    scores = invert(outputs.softmax(0), scan, chain, nearest=False)
    ours = restore(outputs, image, make_recipe(decision, chain, axis=axis))
    theirs = scores.argmax(0).numpy()
    assert len(np.unique(theirs)) == 3
    # Where MONAI fills up with 0, its rounding leaves traces of 1e-9, whose largest is no label.
    sure = scores.sum(0).numpy() > 1e-6
    assert ((ours != theirs) & sure).mean() <= 1e-4
    assert not ours[~sure].any()


@pytest.mark.parametrize("name", CHAINS)
def test_a_single_output_comes_back_as_by_monai(name: str, scan: Path) -> None:
    chain = CHAINS[name]
    image, outputs = prepare(scan, chain, 1)
    theirs = invert(outputs.sigmoid(), scan, chain, nearest=False)[0].numpy() >= 0.4
    ours = restore(outputs, image, make_recipe(Decision("threshold", (1,), "sigmoid", 0.4), chain))
    # Cropped first, MONAI's zeros begin at the crop's edge, and here within half a voxel of it.
    assert (ours != theirs).mean() <= (0.01 if name == "cropped first" else 1e-4)


@pytest.mark.parametrize("name", sorted(CHAINS.keys() - MOVED))
def test_labels_come_back_as_by_monai(name: str, scan: Path) -> None:
    chain = CHAINS[name]
    image, outputs = prepare(scan, chain, 3)
    decision = Decision("largest", (0, 1, 2), "softmax", cleaned="before")
    theirs = invert(outputs.argmax(0, keepdim=True).float(), scan, chain, nearest=True)[0].numpy()
    ours = restore(outputs, image, make_recipe(decision, chain, "nearest"))
    assert (ours != theirs).mean() <= (0.01 if name == "cropped first" else 1e-3)


def test_a_value_without_a_name_is_refused(scan: Path) -> None:
    image, outputs = prepare(scan, [FIRST], 5)
    with pytest.raises(BundleError, match="but names 2 labels"):
        restore(outputs, image, make_recipe(Decision("largest", (0, 1, 2, 3, 4)), [FIRST]))


def test_steps_after_the_decision_run_where_they_stand(scan: Path) -> None:
    image, outputs = prepare(scan, [FIRST, RAS, SPACING], 3)
    only = ({"_target_": "LabelFilterd", "keys": ["pred"], "applied_labels": [2]},)
    for restoring, cleaned in (("linear", "after"), ("nearest", "before"), ("nearest", "after")):
        decision = Decision("largest", (0, 1, 2), steps=only, cleaned=cleaned)  # type: ignore[arg-type]
        found = restore(outputs, image, make_recipe(decision, [FIRST, RAS, SPACING], restoring))
        assert set(np.unique(found)) == {0, 2}
