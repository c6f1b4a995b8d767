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
