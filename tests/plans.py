"""Small plans for tests."""

from medunet.labels import LabelTable
from medunet.planning import NetworkPlan, Normalization, Plan


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
