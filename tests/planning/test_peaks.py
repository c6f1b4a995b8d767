from typing import Any

import pytest
import torch
from plans import make_test_plan

from medunet.measuring import CaseMeasure, ChannelStatistics, Fingerprint
from medunet.networks import build_network, make_network
from medunet.planning import Memory, Plan
from medunet.planning.peaks import count_prepared, count_weights, predict_network, predict_peaks, subtract_program


def make_fingerprint(*shapes: tuple[int, int, int]) -> Fingerprint:
    cases = [
        CaseMeasure(id=f"{n}", shape=shape, spacing_mm=(1.5, 1.5, 5.0), label_ml={"lesion": 1.0})
        for n, shape in enumerate(shapes)
    ]
    return Fingerprint(channels={"ct": ChannelStatistics(mean=0, sd=1, low=-1, high=1)}, cases=tuple(cases))


def make_plan_for(memory: Memory | None = None, dims: int = 3, **groups: Any) -> Plan:
    return make_test_plan(dims).change(foreseen={"memory": memory}, **groups)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("channels", [("ct",), ("ct", "pet")])
def test_weights_are_counted_nearly_as_the_network_has_them(dims: int, channels: tuple[str, ...]) -> None:
    plan = make_test_plan(dims, channels)
    network = build_network(make_network(plan))
    assert isinstance(network, torch.nn.Module)
    assert count_weights(plan) == pytest.approx(sum(p.numel() for p in network.parameters()), rel=0.05)


def test_prepared_voxels_follow_the_spacing_but_for_slices() -> None:
    case = make_fingerprint((100, 80, 40)).cases[0]
    assert count_prepared(make_plan_for(), case) == 50 * 40 * 40
    assert count_prepared(make_plan_for(dims=2), case) == 50 * 40 * 40
    thin = case.model_copy(update={"spacing_mm": (1.5, 1.5, 2.5)})
    assert count_prepared(make_plan_for(), thin) == 50 * 40 * 20
    assert count_prepared(make_plan_for(dims=2), thin) == 50 * 40 * 40
    assert count_prepared(make_plan_for(task={"unit": "px"}), thin) == 100 * 80 * 40


def test_the_largest_case_counts_in_every_stage_and_the_network_in_training() -> None:
    plan = make_plan_for(Memory(ram_gib=8))
    small = predict_peaks(plan, make_fingerprint((64, 64, 20)))
    large = predict_peaks(plan, make_fingerprint((64, 64, 20), (512, 512, 300)))
    assert set(small) == {"measure", "prepare", "train", "predict"}
    assert all(large[stage] > small[stage] for stage in small)
    wide = make_plan_for(Memory(ram_gib=8), window={"patch": (128, 128, 128)})
    assert predict_network(wide) > predict_network(plan)
    assert predict_peaks(wide, make_fingerprint((64, 64, 20)))["train"] > small["train"]


def test_a_network_on_a_gpu_takes_its_memory_instead() -> None:
    shapes = make_fingerprint((64, 64, 20))
    wide = {"window": {"patch": (128, 128, 128)}}
    on_gpu = predict_peaks(make_plan_for(Memory(ram_gib=8, vram_gib=8, gpu=True), **wide), shapes)
    elsewhere = predict_peaks(make_plan_for(Memory(ram_gib=8, vram_gib=8), **wide), shapes)
    assert on_gpu["train_vram"] == elsewhere["train_vram"] > on_gpu["predict_vram"]
    assert on_gpu["train"] < elsewhere["train"]


def test_a_process_that_has_only_started_holds_nothing_beyond() -> None:
    assert subtract_program(0.2) == 0
    assert subtract_program(1.0) - subtract_program(0.8) == pytest.approx(0.2)
