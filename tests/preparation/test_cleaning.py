import warnings
from itertools import product

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask, Region
from medunet.postprocessing import Cleaning, clean_mask, group_values
from medunet.preparation import make_cleaning, make_decision, take_cleaning
from medunet.task import Task

TABLE = LabelTable.from_names(["a", "b"])
REGIONS = TABLE.model_copy(
    update={"regions": (Region(name="whole", values=(1, 2), value=1), Region(name="core", values=(2,), value=2))}
)


def make_task(table: LabelTable, unit: str = "mm") -> Task:
    return Task(channels=("mr",), modalities={"mr": "MR"}, labels=table, unit=unit)  # type: ignore[arg-type]


def run_steps(steps: list[dict[str, object]], mask: Mask) -> np.ndarray:
    """The transforms by MONAI alone, on the label map as they find it."""
    values = torch.from_numpy(mask.voxels[None].astype(np.float32))
    flat = mask.grid.unit == "px"
    image = MetaTensor(values[..., 0] if flat else values, affine=torch.tensor(mask.grid.affine))
    parser = ConfigParser({"imports": ["$import torch"], "steps": {"_target_": "Compose", "transforms": steps}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of scikit-image, about an argument of MONAI's
        found = parser.get_parsed_content("steps")({"pred": image})["pred"].numpy()[0]
    return found[..., None] if flat else found


@pytest.mark.parametrize(("table", "unit"), list(product((TABLE, REGIONS), ("mm", "px"))))
def test_monai_leaves_out_the_same_voxels(table: LabelTable, unit: str) -> None:
    """On sheared grids, too, where equally large parts and parts of exactly the size are."""
    pytest.importorskip("skimage")
    rng, affine = np.random.default_rng(3), np.diag([1.0, 1.5, 2.0, 1.0])
    affine[0, 2] = 0.7
    shape = (14, 13, 1) if unit == "px" else (10, 9, 8)
    grid = Grid(shape, np.eye(4) if unit == "px" else affine, unit)  # type: ignore[arg-type]
    task, changed = make_task(table, unit), 0
    for _ in range(8):
        voxels = ((rng.random(shape) < 0.25) * rng.integers(1, 3, shape)).astype(np.uint8)
        mask = Mask("classes", voxels, grid, table)
        for largest, smallest in product((False, True), (0.0, 3.0) if unit == "px" else (0.0, 0.009, 0.0061)):
            how = Cleaning(group_values(table) if largest else (), smallest)
            ours = clean_mask(mask, how).voxels
            assert np.array_equal(ours, run_steps(make_cleaning(task, how), mask))
            changed += int((ours != voxels).sum())
    assert changed


@pytest.mark.parametrize("how", [Cleaning(((1,),)), Cleaning(((1,), (2,)), 0.25), Cleaning((), 12.0)])
def test_what_was_made_is_recognised(how: Cleaning) -> None:
    for task in (make_task(TABLE), make_task(TABLE, "px")):
        if task.unit == "px" and how.smallest % 1:
            continue
        before = make_decision(task)
        assert take_cleaning([*before, *make_cleaning(task, how)], task) == (before, how)


def test_anything_else_is_left_where_it_is() -> None:
    task = make_task(TABLE)
    before = make_decision(task)
    keep, drop = make_cleaning(task, Cleaning(((1,),), 0.25))
    odd = [
        {**keep, "connectivity": 1},
        {**keep, "applied_labels": ["$__import__('os')"]},
        {**drop, "func": f"{drop['func']} + __import__('os').getpid()"},
        {**drop, "keys": ["image"]},
        "text",
    ]
    for step in odd:
        steps = [*before, step]
        assert take_cleaning(steps, task) == (steps, Cleaning())
    assert take_cleaning([*before, drop, keep], task)[0] == [*before, drop], "in another order they do something else"
    assert take_cleaning([], task) == ([], Cleaning())


def test_regions_are_kept_together() -> None:
    task = make_task(REGIONS)
    (step,) = make_cleaning(task, Cleaning(group_values(REGIONS)))
    assert (step["applied_labels"], step["independent"]) == ([1, 2], False)
    assert make_cleaning(task, Cleaning()) == []
