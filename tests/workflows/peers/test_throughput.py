import pytest
import torch
from plans import make_test_plan
from throughput import ENDLESS, tabulate, time_loader, time_steps
from torch.utils.data import DataLoader, Dataset


class Patches(Dataset[dict[str, torch.Tensor]]):
    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        draw = torch.Generator().manual_seed(index)
        image = torch.randn(1, 16, 16, 16, generator=draw)
        return {"image": image, "label": (image > 1).float()}


@pytest.mark.parametrize("ours", [True, False])
def test_steps_of_medunet_and_of_monai_as_it_is_are_counted(ours: bool) -> None:
    plan = make_test_plan()
    loader = DataLoader(Patches(), batch_size=plan.training.batch)
    assert time_loader(loader, plan.training.batch, 0.1) > 0
    assert time_steps(plan, loader, 0.1, ours=ours) > 0


def test_rates_are_compared_with_those_of_the_same_kind() -> None:
    found = {
        "medunet, loader": [30.0, 40.0, 50.0],
        "MONAI, loader": [80.0, 20.0, 10.0],
        "medunet, steps": [3.0, 2.0],
        "MONAI, steps": [1.0, 1.0],
    }
    rows = tabulate(found, 2).splitlines()[2:]
    assert rows[0] == "| medunet, loader | 40.00 | 20.00 | 30.00 to 50.00 patches/s |  |"
    assert rows[1] == "| MONAI, loader | 20.00 | 10.00 | 10.00 to 80.00 patches/s | 2.00 × |"
    assert rows[3] == "| MONAI, steps | 2.00 | 1.00 | 1.00 to 1.00 steps/s | 2.50 × |"
