from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from plans import make_test_plan

from medunet.bundle.targets import make_metric, make_scoring
from medunet.labels import LabelTable, Region
from medunet.task import Task

NESTED = (Region(name="whole", values=(1, 2), value=2), Region(name="core", values=(1,), value=1))


def make_task(ignore: int | None = None, regions: tuple[Region, ...] = ()) -> Task:
    table = LabelTable.from_names(["a", "b"] if regions else ["a"]).model_copy(
        update={"ignore": ignore, "regions": regions}
    )
    return make_test_plan().task.model_copy(update={"labels": table})


def measure(task: Task, logits: torch.Tensor, label: torch.Tensor) -> float:
    """Key metric of one case (C, I, J, K), by what MONAI makes of the configuration."""
    config: dict[str, Any] = {
        "imports": ["$import torch"],
        "steps": {"_target_": "Compose", "transforms": make_scoring(task)},
        "metric": make_metric(task),
    }
    parser = ConfigParser(config)
    case = parser.get_parsed_content("steps")({"pred": logits, "label": label})
    metric = parser.get_parsed_content("metric").metric_fn
    metric([case["pred"]], [case["label"]])
    return float(metric.aggregate())


def test_plain_labels_have_the_metric_of_monai() -> None:
    assert make_metric(make_task())["_target_"] == "MeanDice"
    assert make_scoring(make_task())[0]["to_onehot"] == [2, 2]


def test_dice_leaves_out_what_is_ignored() -> None:
    label = torch.tensor([1, 1, 0, 0, 255, 255]).float().reshape(1, 6, 1, 1)
    chosen = torch.tensor([1, 0, 1, 0, 1, 0])
    logits = torch.stack([1 - 2 * chosen, 2 * chosen - 1]).float().reshape(2, 6, 1, 1)
    assert measure(make_task(255), logits, label) == pytest.approx(2 * 1 / 4)


@pytest.mark.parametrize(("ignore", "whole", "core"), [(None, 2 * 2 / 7, 2 * 1 / 3), (255, 2 * 2 / 5, 2 * 1 / 3)])
def test_dice_is_that_of_regions(ignore: int | None, whole: float, core: float) -> None:
    """The last two voxels are predicted as whole; nobody looked at them, or they are background."""
    label = torch.tensor([1, 1, 2, 0, ignore or 0, ignore or 0]).float().reshape(1, 6, 1, 1)
    predicted = torch.tensor([[1, 0, 1, 0, 1, 1], [1, 0, 0, 0, 0, 0]])
    logits = (2 * predicted - 1).float().reshape(2, 6, 1, 1)
    assert measure(make_task(ignore, NESTED), logits, label) == pytest.approx((whole + core) / 2)
