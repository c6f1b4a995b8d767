import numpy as np
import pytest

from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask, Region
from medunet.postprocessing import NOTHING, Cleaning, PartsPlan, clean_mask, group_values, plan_cleaning

TABLE = LabelTable.from_names(["organ", "tumor"])
REGIONS = TABLE.model_copy(
    update={"regions": (Region(name="whole", values=(1, 2), value=1), Region(name="core", values=(2,), value=2))}
)
OBJECTS = LabelTable.from_names(["nucleus"], objects=True)
GRID = Grid((9, 1, 1), np.diag([10.0, 10, 10, 1]))


def clean(values: list[int], how: Cleaning, table: LabelTable = TABLE) -> list[int]:
    voxels = np.array(values, np.uint8).reshape(GRID.shape)
    kind = "instances" if table.objects else "classes"
    cleaned = clean_mask(Mask(kind, voxels, GRID, table), how)  # type: ignore[arg-type]
    assert cleaned.voxels.dtype == np.uint8
    return cleaned.voxels.ravel().tolist()


def test_labels_are_counted_by_themselves_and_regions_together() -> None:
    assert group_values(TABLE) == ((1,), (2,))
    assert group_values(TABLE, ["tumor"]) == ((2,),)
    assert group_values(REGIONS) == group_values(REGIONS, ["core", "whole"]) == ((1, 2),)
    for table, names, words in (
        (TABLE, ["tumour"], "no label 'tumour': did you mean 'tumor'"),
        (REGIONS, ["core"], "regions overlap"),
        (OBJECTS, ["nucleus"], "object by object"),
    ):
        with pytest.raises(ValueError, match=words):
            group_values(table, names)


def test_what_a_plan_leaves_out() -> None:
    assert plan_cleaning(PartsPlan(), TABLE) == NOTHING
    assert plan_cleaning(PartsPlan(keep_largest=("organ",), smallest=0.5), TABLE) == Cleaning(((1,),), 0.5)
    assert plan_cleaning(PartsPlan(smallest=2), REGIONS) == Cleaning((), 2)


def test_parts_are_left_out_by_millilitres() -> None:
    line = [1, 1, 1, 0, 1, 1, 0, 2, 1]
    assert clean(line, Cleaning(((1,),))) == [1, 1, 1, 0, 0, 0, 0, 2, 0]
    assert clean(line, Cleaning((), 2.0)) == [1, 1, 1, 0, 1, 1, 0, 0, 0]
    assert clean(line, Cleaning(((1,), (2,)), 1.5)) == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert clean(line, Cleaning((), 2.0), REGIONS) == [1, 1, 1, 0, 1, 1, 0, 2, 1]
    assert clean(line, Cleaning(((1, 2),), 0.0), REGIONS) == [1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_small_objects_are_left_out_and_the_rest_numbered_without_a_gap() -> None:
    assert clean([1, 1, 2, 3, 3, 0, 4, 4, 4], Cleaning((), 2.0), OBJECTS) == [1, 1, 0, 2, 2, 0, 3, 3, 3]
