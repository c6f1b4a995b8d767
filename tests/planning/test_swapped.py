"""A plan of another network than the U-Net."""

from collections.abc import Callable

import pytest

from medunet.cohort import Case, Channel, Cohort
from medunet.errors import BundleError
from medunet.labels import LabelTable
from medunet.measuring import CaseMeasure, ChannelStatistics, Fingerprint
from medunet.planning import Memory, Plan, Swapped
from medunet.planning.choice import make_plan

COHORT = Cohort(
    channels=("ct",),
    modalities={"ct": "CT"},
    labels=LabelTable.from_names(["a"]),
    cases=tuple(Case(id=name, patient=name, channels={"ct": Channel(path="x")}) for name in "pq"),
)
FINGERPRINT = Fingerprint(
    channels={"ct": ChannelStatistics(mean=60, sd=30, low=-20, high=150)},
    cases=tuple(CaseMeasure(id=n, shape=(200, 180, 90), spacing_mm=(1, 1, 2), label_ml={"a": 10}) for n in "pq"),
)
DEFINITION = {"_target_": "SegResNet"}


def make_swap(multiple: int = 16, least: int = 0) -> Callable[[Plan], Swapped]:
    """A network of 100 bytes a voxel that fails on patches of fewer voxels than the least."""

    def count(patch: tuple[int, int, int]) -> tuple[int, int]:
        if patch[0] * patch[1] * patch[2] < least:
            raise BundleError("network", "too small", "take more")
        return 1000, 100 * patch[0] * patch[1] * patch[2]

    return lambda _: Swapped(DEFINITION, multiple, None, count)


def test_patches_are_multiples() -> None:
    found = make_swap()(None)  # type: ignore[arg-type]
    assert found.round_patch((40, 41, 5), 3) == (32, 48, 16)
    assert found.round_patch((40, 41, 1), 2) == (32, 48, 1)
    assert Swapped(DEFINITION, 16, (64, 64, 64), found.count).round_patch((40, 41, 5), 3) == (64, 64, 64)


def test_the_largest_patch_within_memory_and_time_is_taken() -> None:
    slow, fast = (make_plan(COHORT, FINGERPRINT, lambda _, s=s: s, swap=make_swap()) for s in (1e3, 1e-3))  # type: ignore[misc]
    assert fast.window.patch > slow.window.patch
    assert all(size % 16 == 0 for plan in (slow, fast) for size in plan.window.patch)
    assert fast.network.describe() == "3D SegResNet"
    assert (fast.training.optimizer, fast.training.longest_gradient) == ("adamw", 12.0)
    assert fast.reasons["network"].startswith("asked for (--network)")
    little = make_plan(COHORT, FINGERPRINT, lambda _: 1e-3, swap=make_swap(), memory=Memory(ram_gib=0.6))
    assert little.window.patch < fast.window.patch
    assert little.foreseen.peak_gib["train"] < fast.foreseen.peak_gib["train"]


def test_patches_that_it_does_not_take_are_left_out() -> None:
    plan = make_plan(COHORT, FINGERPRINT, lambda _: 1e3, swap=make_swap(least=10**5))
    x, y, z = plan.window.patch
    assert x * y * z >= 10**5
    with pytest.raises(BundleError, match="too small"):
        make_plan(COHORT, FINGERPRINT, lambda _: 1.0, swap=make_swap(least=10**9))
