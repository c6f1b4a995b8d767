"""A plan that goes on from another bundle."""

import pytest

from medunet.cohort import Case, Channel, Cohort
from medunet.errors import InputError
from medunet.labels import LabelTable
from medunet.measuring import CaseMeasure, ChannelStatistics, Fingerprint
from medunet.planning import Given, GivenNetwork, GridPlan, Memory, NetworkPlan, WindowPlan, keep_given, plan_further

COHORT = Cohort(
    channels=("ct",),
    modalities={"ct": "CT"},
    labels=LabelTable.from_names(["a"]),
    cases=tuple(Case(id=name, patient=name, channels={"ct": Channel(path="x")}) for name in "pq"),
)
STATISTICS = ChannelStatistics(mean=60, sd=30, low=-20, high=150)
FINGERPRINT = Fingerprint(
    channels={"ct": STATISTICS},
    cases=tuple(CaseMeasure(id=n, shape=(200, 180, 90), spacing_mm=(1, 1, 2), label_ml={"a": 10}) for n in "pq"),
)


def make_given(patch: tuple[int, int, int] = (64, 64, 32), patch_bytes: int = 2**28, **grid: object) -> Given:
    definition = {"_target_": "SegResNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2}
    network = NetworkPlan(dims=3, given=GivenNetwork(definition=definition, weights=10**6, patch_bytes=patch_bytes))
    plan = GridPlan.model_validate({"spacing_mm": (2, 2, 0), "normalization": {}, "steps": (), **grid})
    return Given("zoo", plan, network, WindowPlan(patch=patch, overlap=0.25, mode="constant"))


def test_what_it_leaves_open_follows_from_the_median_case() -> None:
    filled = make_given((0, 0, 0)).fill(FINGERPRINT)
    assert filled.grid.spacing_mm == (2, 2, 2)
    assert filled.window.patch == (96, 64, 64), "100 × 90 × 90, in multiples of what poolings divide"
    resized = {"_target_": "Resized", "keys": ["image"], "spatial_size": [48, 40, -1]}
    assert make_given((0, 0, 0), steps=(resized,)).fill(FINGERPRINT).window.patch == (48, 40, 64)
    assert make_given().fill(FINGERPRINT).window.patch == (64, 64, 32)


def test_the_plan_says_where_it_comes_from() -> None:
    given = make_given().fill(FINGERPRINT)
    plan = plan_further(COHORT, FINGERPRINT, given, lambda _: 0.5)
    assert plan.source == "zoo"
    assert plan.reasons["network"].startswith("as zoo has it")
    assert (plan.window.overlap, plan.window.mode) == (0.25, "constant")
    assert (plan.training.optimizer, plan.training.learning_rate) == ("adamw", 1e-3)
    assert plan.foreseen.step_seconds == 0.5
    assert keep_given(plan).network == given.network
    assert plan.network.describe() == "3D SegResNet"


def test_only_the_batch_gives_way_to_the_memory() -> None:
    sizes = [
        plan_further(COHORT, FINGERPRINT, make_given(patch_bytes=count).fill(FINGERPRINT), lambda _: 1.0)
        for count in (2**28, 3 * 2**30)
    ]
    assert [plan.training.batch for plan in sizes] == [2, 1]
    first, second = (plan.foreseen.peak_gib for plan in sizes)
    assert second["train"] > first["train"]
    assert second["predict"] > first["predict"]
    given = make_given().fill(FINGERPRINT)
    little = plan_further(COHORT, FINGERPRINT, given, lambda _: 1.0, memory=Memory(ram_gib=0.5))
    assert little.training.batch == 1


def test_files_of_other_components_are_refused() -> None:
    colours = FINGERPRINT.model_copy(update={"components": {"ct": 3}})
    with pytest.raises(InputError, match="takes 1 components, but the cohort's files hold 3"):
        plan_further(COHORT, colours, make_given(), lambda _: 1.0)


def test_a_network_is_given_or_planned() -> None:
    for wrong in ({}, {"filters": (4,), "given": make_given().network.given}):
        with pytest.raises(ValueError, match="either filters"):
            NetworkPlan.model_validate({"dims": 3, **wrong})
