import numpy as np
import pytest
from pydantic import ValidationError

from medunet.errors import LabelError
from medunet.geometry import Grid
from medunet.labels import Label, LabelTable, Mask, check_label_values

TABLE = LabelTable.from_names(["organ", "tumor"])


def test_values_run_from_one_and_names_are_unique() -> None:
    assert TABLE.names == ("organ", "tumor")
    with pytest.raises(ValidationError, match="without a gap"):
        LabelTable(labels=(Label(value=2, name="a", colour=(0, 0, 0)),))
    with pytest.raises(ValidationError, match="one name"):
        LabelTable.from_names(["a", "a"])


def test_volumes_are_in_millilitres() -> None:
    voxels = np.zeros((10, 10, 10), np.uint8)
    voxels[:5] = 2
    mask = Mask("classes", voxels, Grid(voxels.shape, np.diag([2.0, 2, 5, 1])), TABLE)
    assert mask.volumes_ml() == {"organ": 0.0, "tumor": pytest.approx(10.0)}


def test_floats_near_integers_are_rounded_not_cut() -> None:
    assert check_label_values(np.array([[[0.0, 1.9997]]]), TABLE, "f").max() == 2


@pytest.mark.parametrize(("value", "words"), [(1.5, "no integers"), (5.0, "label values 5"), (-1.0, "label values -1")])
def test_other_values_are_refused(value: float, words: str) -> None:
    with pytest.raises(LabelError, match=words):
        check_label_values(np.array([[[0.0, value]]]), TABLE, "f")


def test_objects_keep_their_numbers_until_they_are_joined() -> None:
    table = LabelTable.from_names(["nucleus"], objects=True)
    numbers = np.array([[[0, 1, 375]]], np.uint16)
    assert check_label_values(numbers, table, "f").tolist() == [[[0, 1, 375]]]
    assert check_label_values(np.array([[[0.0, 70_000.0]]]), table, "f").dtype == np.uint32
    with pytest.raises(LabelError, match="label values -1"):
        check_label_values(np.array([[[0, -1]]]), table, "f")
    mask = Mask("instances", numbers, Grid(numbers.shape, np.diag([10.0, 10, 10, 1])), table)
    assert mask.find_sizes().tolist() == [1, 1]
    assert mask.volumes_ml() == {"nucleus": pytest.approx(2.0)}
    joined = mask.join_objects()
    assert (joined.kind, joined.voxels.tolist(), joined.table.objects) == ("classes", [[[0, 1, 1]]], False)
    assert joined.join_objects() is joined
    assert (joined.pack_voxels().dtype, mask.pack_voxels().dtype) == (np.uint8, np.uint16)
    with pytest.raises(ValidationError, match="one label only"):
        LabelTable.from_names(["a", "b"], objects=True)


def make_table(**more: object) -> LabelTable:
    return LabelTable.model_validate(TABLE.model_dump() | more)


WHOLE = {"name": "whole", "values": (1, 2), "value": 1}


def test_what_is_ignored_is_no_label() -> None:
    table = make_table(ignore=255)
    voxels = check_label_values(np.array([[[0, 1, 2, 255]]]), table, "f")
    mask = Mask("classes", voxels, Grid((1, 1, 4), np.eye(4), "px"), table)
    assert mask.volumes_ml() == {"organ": 1, "tumor": 1}
    assert mask.is_labelled().tolist() == [[[False, True, True, False]]]
    known = mask.is_known()
    assert known is not None
    assert known.tolist() == [[[True, True, True, False]]]
    assert Mask("classes", voxels % 255, mask.grid, table).is_known() is None
    with pytest.raises(LabelError, match="label values 255") as refusal:
        check_label_values(voxels, make_table(ignore=3), "f")
    assert refusal.value.expected == "0 and 1 organ, 2 tumor, 3 to ignore"


def test_regions_stand_for_their_labels() -> None:
    table = make_table(regions=(WHOLE, {"name": "tumor", "values": (2,), "value": 2}))
    assert table.describe() == "whole, tumor"
    assert [region.values for region in TABLE.structures] == [(1,), (2,)]
    mask = Mask("classes", np.array([[[0, 1, 2, 2]]], np.uint8), Grid((1, 1, 4), np.eye(4), "px"), table)
    assert mask.volumes_ml() == {"whole": 3, "tumor": 2}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ignore": 2}, "above those of all labels"),
        ({"regions": (WHOLE, WHOLE)}, "two regions have one name"),
        ({"regions": (WHOLE, WHOLE | {"name": "other"})}, "written as one value"),
        ({"regions": (WHOLE | {"values": (1, 3)},)}, "values that no label has"),
        ({"regions": (WHOLE | {"value": 3},)}, "none of its own"),
        ({"labels": TABLE.labels[:1], "objects": True, "ignore": 2}, "neither regions nor a value to ignore"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(more: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make_table(**more)


def test_a_mask_is_said_in_a_line() -> None:
    voxels = np.zeros((10, 10, 5), np.uint8)
    voxels[:2], voxels[2] = 1, 2
    mask = Mask(
        "classes", voxels, Grid(voxels.shape, np.diag([2.0, 2, 3, 1])), LabelTable.from_names(["lung", "heart"])
    )
    assert repr(mask) == "Mask(classes, 10 × 10 × 5 voxels of 2 × 2 × 3 mm, lung 1.2 mL, heart 0.6 mL)"
    flat = Mask("instances", voxels[..., :1], Grid((10, 10, 1), np.eye(4), "px"), LabelTable.from_names(["cell"], True))
    assert repr(flat) == "Mask(instances, 10 × 10 pixels, cell 30 px)"
