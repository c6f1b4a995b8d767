"""Small plans and schedules for tests."""

from pathlib import Path

from medunet.labels import LabelTable
from medunet.planning import NetworkPlan, Normalization, Plan
from medunet.records import write_json


def make_test_plan(dims: int = 3, channels: tuple[str, ...] = ("ct",)) -> Plan:
    """A plan of a tiny network: two poolings, 4 features, patches of 16 voxels an axis."""
    modalities = {"ct": "CT", "pet": "PT", "mr": "MR"}
    flat = dims == 2
    stride, kernel = ((2, 2, 1), (3, 3, 1)) if flat else ((2, 2, 2), (3, 3, 3))
    return Plan(
        dims=dims,  # type: ignore[arg-type]
        channels=channels,
        modalities={name: modalities[name] for name in channels},
        labels=LabelTable.from_names(["lesion"]),
        spacing_mm=(3.0, 3.0, 5.0),
        normalization={
            name: Normalization(kind="fixed", low=-200, high=300, mean=60, sd=80)
            if name != "mr"
            else Normalization(kind="each")
            for name in channels
        },
        patch=(16, 16, 1) if flat else (16, 16, 16),
        batch=2,
        network=NetworkPlan(filters=(4, 8, 16), strides=((1, 1, 1), stride, stride), kernels=(kernel,) * 3, heads=1),
        learning_rate=1e-3,
        budget_minutes=0.2,
        reasons={"patch": "small"},
    )


def pin_schedule(bundle: Path, epochs: int, steps_per_epoch: int, fold: int = 0) -> None:
    """Fix what a run of a fold does, whatever the speed of the machine."""
    steps = {"epochs": epochs, "steps_per_epoch": steps_per_epoch, "validation_interval": epochs}
    rates = {"seconds_per_step": 1.0, "loader_patches_per_second": 1.0, "network_patches_per_second": 1.0}
    write_json(bundle / "work" / f"fold{fold}" / "schedule.json", {**steps, **rates, "budget_seconds": 6000.0})
