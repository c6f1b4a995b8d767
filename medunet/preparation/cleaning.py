"""Leave connected parts out of a label map by transforms of MONAI, as `inference.json` has them, and recognise these.

They need scikit-image beside MONAI. MONAI's RemoveSmallObjectsd isn't right for label maps: of several labels it
counts all voxels of a value as one object, and it takes the axes of a grid for perpendicular. So its function is
called for each label by itself, with the volume of a voxel. scikit-image 0.26 takes parts of exactly the size away, and
older ones leave them: the size is half a voxel below, so that all versions leave them.
"""

import re
from collections.abc import Sequence
from typing import Any

from medunet.parts import ROUNDING, count_least
from medunet.postprocessing import NOTHING, Cleaning, group_values
from medunet.task import Task

Step = dict[str, Any]


def make_cleaning(task: Task, how: Cleaning) -> list[Step]:
    """Transforms of the label map `pred` (1, I, J, K), or (1, I, J) of pictures, on the grid of the scan.

    Args:
        task: what is segmented.
        how: which parts are left out.
    """
    steps: list[Step] = []
    if how.keep_largest:
        values = [value for group in how.keep_largest for value in group]
        steps.append(
            {
                "_target_": "KeepLargestConnectedComponentd",
                "keys": ["pred"],
                "applied_labels": values,
                "is_onehot": False,
                "independent": not task.labels.regions,
            }
        )
    if how.smallest:
        groups = [list(group) for group in group_values(task.labels)]
        least = f"0.5 + int({how.smallest * 1000:.12g} / float(x.affine[:3, :3].det().abs()) - {ROUNDING!r})"
        size = f"{least}, 3" if task.unit == "mm" else f"{count_least(how.smallest, 1.0) - 0.5}, 2"
        parts = f"monai.transforms.utils.remove_small_objects(torch.isin(x, torch.tensor(v).to(x)), {size})"
        func = f"$lambda x: x * torch.cat([{parts} for v in {groups}]).any(0, True)"
        steps.append({"_target_": "Lambdad", "keys": ["pred"], "func": func})
    return steps


def take_cleaning(steps: Sequence[Step], task: Task) -> tuple[list[Step], Cleaning]:
    """Split transforms from logits to a label map into those before and the parts that the last of them leave out.

    Args:
        steps: of an `inference.json`, without that which saves.
        task: what is segmented.

    Returns:
        The steps before; all, and a cleaning of nothing, where they don't end in what `make_cleaning` makes.
    """
    for count in (2, 1):
        last = list(steps[-count:])
        how = _guess(last, task)
        if len(steps) >= count and how != NOTHING and make_cleaning(task, how) == last:
            return list(steps[:-count]), how
    return list(steps), NOTHING


def _guess(steps: Sequence[Any], task: Task) -> Cleaning:
    """What steps seem to leave out; whether they do is seen when they are made of it."""
    groups: tuple[tuple[int, ...], ...] = ()
    smallest = 0.0
    for step in steps:
        values = step.get("applied_labels") if isinstance(step, dict) else None
        if isinstance(values, list) and all(type(value) is int for value in values):
            groups = (tuple(values),) if task.labels.regions else tuple((value,) for value in values)
        text = str(step.get("func", "")) if isinstance(step, dict) else ""
        if found := re.search(r"0\.5 \+ int\(([0-9.e+-]+) / ", text):
            smallest = float(f"{float(found[1]) / 1000:.12g}")
        elif found := re.search(r"\), ([0-9]+)\.5, 2\) for v", text):
            smallest = float(found[1]) + 1
    return Cleaning(groups, smallest)
