import math

import pytest
import torch
from monai.bundle import ConfigComponent
from plans import make_test_plan

from medunet.errors import BundleError
from medunet.planning.plan import Normalization
from medunet.preparation import build_augmentation, make_augmentation, make_warp


@pytest.mark.parametrize("dims", [2, 3])
def test_every_step_works_on_patches_of_its_axes(dims: int) -> None:
    # Long enough for everything.
    plan = make_test_plan(dims=dims).change(task={"channels": ("a", "b")}, foreseen={"step_seconds": 1e-4})
    steps = make_augmentation(plan)
    random = torch.Generator().manual_seed(0)
    patch = {key: torch.rand((count, *[16] * dims), generator=random) for key, count in (("image", 2), ("label", 1))}
    for step in steps:
        transform = ConfigComponent(config={**step, "prob": 1.0}).instantiate()
        # Unseeded, a drawn zoom of nearly 1 would now and then leave the patch as it is.
        changed = transform.set_random_state(0)(dict(patch))
        assert changed["image"].shape == patch["image"].shape
        assert not torch.equal(changed["image"], patch["image"])
        assert torch.equal(changed["label"], patch["label"]) == (step["keys"] == ["image"])
    assert sum(step["_target_"] == "RandFlipd" for step in steps) == dims


def test_patches_are_blurred_in_long_runs_only() -> None:
    short = make_test_plan().change(training={"budget_minutes": 60.0}, foreseen={"step_seconds": 0.3})
    long = short.change(foreseen={"step_seconds": 0.2})
    assert short.count_steps() < 10_000 < long.count_steps()
    added = {step["_target_"] for step in make_augmentation(long)} - {
        step["_target_"] for step in make_augmentation(short)
    }
    assert added == {"RandGaussianSmoothd", "RandSimulateLowResolutiond"}


def test_anisotropic_patches_turn_in_their_fine_plane_only() -> None:
    plan = make_test_plan().change(grid={"spacing_mm": (1.0, 1.0, 5.0)})
    angles = make_warp(plan)["angles"]
    assert angles[:2] == [0.0, 0.0]
    assert angles[2] > 3


def test_pictures_turn_by_quarters_where_patches_are_square() -> None:
    flat = make_test_plan(dims=2)
    plan = flat.change(task={"unit": "px", "components": {"ct": 3}})
    assert "RandRotate90d" in {step["_target_"] for step in make_augmentation(plan)}
    oblong = plan.change(window={"patch": (32, 16, 1)})
    assert all(step["_target_"] != "RandRotate90d" for step in [*make_augmentation(oblong), *make_augmentation(flat)])


@pytest.mark.parametrize("dims", [2, 3])
def test_nothing_is_mirrored_across_the_midline_where_labels_have_sides(dims: int) -> None:
    plan = make_test_plan(dims=dims).change(task={"sides": (("eye_l", "eye_r"),)})
    flips = [step["spatial_axis"] for step in make_augmentation(plan) if step["_target_"] == "RandFlipd"]
    assert flips == [1, 2][: dims - 1]
    assert max(make_warp(plan)["angles"]) < math.pi / 2
    coarse = plan.change(grid={"spacing_mm": (1.0, 1.0, 5.0)})
    assert max(make_warp(coarse)["angles"]) < math.pi / 2
    square = make_test_plan(dims=2).change(task={"unit": "px", "sides": (("eye_l", "eye_r"),)})
    assert "RandRotate90d" not in [step["_target_"] for step in make_augmentation(square)]


@pytest.mark.parametrize(
    "step",
    [
        {"_target_": "RandFlipd", "spatial_axis": 0},
        {"_target_": "RandFlipd", "spatial_axis": [1, -3]},
        {"_target_": "RandFlipd"},
        {"_target_": "RandAxisFlipd"},
        {"_target_": "RandRotate90d", "spatial_axes": [0, 1]},
    ],
)
def test_a_step_that_mirrors_across_the_midline_is_refused(step: dict[str, object]) -> None:
    plan = make_test_plan().change(training={"augmentation": ({**step, "keys": ["image", "label"], "prob": 0.5},)})
    build_augmentation(plan)
    sided = plan.change(task={"sides": (("eye_l", "eye_r"),)})
    with pytest.raises(BundleError, match="mirrors across the midline, but eye_l and eye_r have sides; flip along"):
        build_augmentation(sided)
    allowed = {"_target_": "RandFlipd", "keys": ["image", "label"], "prob": 0.5, "spatial_axis": 2}
    build_augmentation(sided.change(training={"augmentation": (allowed,)}))


def test_around_a_body_that_was_cut_out_is_drawn_before_anything_is_mirrored() -> None:
    plan = make_test_plan()
    assert not any("Surroundings" in step["_target_"] for step in make_augmentation(plan))
    name = plan.task.channels[0]
    normalization = Normalization(kind="fixed", low=-950.0, high=900.0, mean=20.0, sd=250.0)
    grid = {"normalization": {**plan.grid.normalization, name: normalization}}
    cut = plan.change(grid=grid, training={"surroundings": (name,)})
    first = make_augmentation(cut)[0]
    assert first["_target_"] == "medunet.preparation.RandSurroundingsd"
    assert (first["channel"], first["scale"], first["axes"]) == (0, [-950.0, 900.0, 20.0, 250.0], "RAS")
    _, steps = build_augmentation(cut)
    shape = (plan.task.count_inputs(), *plan.window.patch)
    image = torch.full(shape, (-950 - 20) / 250)
    middle = tuple(slice(size // 4, -(size // 4)) for size in shape[1:])
    image[(0, *middle)] = 0
    drawn = [steps[0].set_random_state(seed)({"image": image})["image"][0] for seed in range(6)]
    assert sum(not torch.equal(item, image[0]) for item in drawn) >= 2
    assert all(bool((item[middle] == 0).all()) for item in drawn)


def test_several_channels_are_left_out_and_misaligned_by_their_components() -> None:
    single = make_test_plan()
    several = single.change(task={"channels": ("a", "b", "c"), "components": {"b": 3}})
    drop = make_augmentation(several)[-1]
    assert drop["_target_"].endswith("RandDropChanneld")
    assert drop["channels"] == make_warp(several)["channels"] == [0, 1, 4]
    assert make_warp(several)["probabilities"][3] > 0
    assert make_warp(single)["probabilities"][3] == 0
    assert make_augmentation(single)[-1]["_target_"] != drop["_target_"]


@pytest.mark.parametrize("dims", [2, 3])
def test_steps_that_somebody_added_come_last(dims: int) -> None:
    more = {"_target_": "RandGaussianSharpend", "keys": ["image"], "prob": 0.3}
    plan = make_test_plan(dims=dims)
    added = plan.change(training={"augmentation": (more,)})
    assert make_augmentation(added) == [*make_augmentation(plan), more]
    _, steps = build_augmentation(added)
    assert [type(step).__name__ for step in steps[-1:]] == ["RandGaussianSharpend"]
    assert len(steps) == len(build_augmentation(plan)[1]) + 1


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"_target_": "RandFlip", "prob": 0.5}, "'RandFlip' is no dictionary transform of MONAI's"),
        ({"_target_": "Lambdad", "keys": "image", "func": "$print"}, "holds more than data"),
        ({"_target_": "RandFlipd", "keys": ["image"], "probability": 1}, "RandFlipd fails on a patch .*probability"),
        ({"_target_": "CenterSpatialCropd", "keys": ["image"], "roi_size": 8}, r"makes \(1, 8, 8, 8\) of an image"),
        ({"_target_": "ScaleIntensityd", "keys": ["label"], "minv": 0.5}, "makes values between those of labels"),
    ],
)
def test_a_step_that_does_not_fit(step: dict[str, object], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        build_augmentation(make_test_plan().change(training={"augmentation": (step,)}))
