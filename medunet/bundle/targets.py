"""What a label table makes of decision and metric: the parts of the configurations that depend on it."""

from collections.abc import Sequence
from typing import Any

from medunet.preparation import make_decision
from medunet.task import Task

Config = dict[str, Any]


def make_scoring(task: Task, cleaning: Sequence[Config] = ()) -> list[Config]:
    """Transforms from the logits `pred` and the label map `label` to the channels that `make_metric` takes.

    Channels are background and labels, or interior and border of objects. Where voxels are ignored or regions overlap
    they are background, the labels or regions of both label maps, and last what is ignored.

    Args:
        task: what is segmented.
        cleaning: transforms of the label map `pred` that leave parts out of it.
    """
    table = task.labels
    if table.is_plain:
        classes = len(task.name_classes())
        decided = [*make_decision(task), *cleaning, make_one_hot(classes, False)]
        return decided if cleaning else [make_one_hot(classes)]
    channels = [[0], *(list(region.values) for region in table.structures)]
    if table.ignore is not None:
        channels.append([table.ignore])
    split = f"$lambda x: torch.cat([torch.isin(x, torch.tensor(values).to(x)) for values in {channels}]).to(x)"
    return [*make_decision(task), *cleaning, {"_target_": "Lambdad", "keys": ["pred", "label"], "func": split}]


def make_one_hot(classes: int, argmax: bool = True) -> Config:
    """Classes as channels: of the label map, and of the prediction's largest logit or of its classes."""
    return {
        "_target_": "AsDiscreted",
        "keys": ["pred", "label"],
        "argmax": [argmax, False],
        "to_onehot": [classes, classes],
    }


def make_metric(task: Task) -> Config:
    """Mean Dice over labels or regions of the channels of `make_scoring`, without voxels that are ignored."""
    pair = {"output_transform": "$monai.handlers.from_engine(['pred', 'label'])"}
    if task.labels.ignore is None:
        return {"_target_": "MeanDice", "include_background": False, **pair}
    count = len(task.labels.structures) + 1
    # MeanDice passes no ignore_index on.
    dice = {"_target_": "DiceMetric", "include_background": False, "num_classes": count, "ignore_index": count}
    return {"_target_": "IgniteMetricHandler", "metric_fn": dice, **pair}
