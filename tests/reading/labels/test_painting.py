import numpy as np
import pytest

from medunet.errors import LabelError
from medunet.findings import listening
from medunet.labels import LabelTable, Region
from medunet.reading import LabelOptions
from medunet.reading.labels.painting import Painting

SHAPE = (6, 6, 6)
TABLE = LabelTable.from_names(["organ", "tumor"])
REGIONS = TABLE.model_copy(
    update={"regions": (Region(name="organ", values=(1, 2), value=1), Region(name="tumor", values=(2,), value=2))}
)


def box(low: int, high: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[low:high, low:high, low:high] = True
    return mask


ORGAN, TUMOR = box(0, 4), box(2, 5)
"""They share 8 of 64 and 27 voxels."""


def paint(table: LabelTable, options: LabelOptions, *, first: str = "organ") -> np.ndarray:
    painting = Painting(SHAPE, table, options, "f", "structures")
    parts = {"organ": (ORGAN, 1), "tumor": (TUMOR, 2)}
    painting.paint(*parts[first])
    # In parts, as the frames of a segmentation come, by index.
    where, value = parts["tumor" if first == "organ" else "organ"]
    index = np.argwhere(where)
    for part in (index[: len(index) // 2], index[len(index) // 2 :]):
        painting.paint(tuple(part.T), value)
    return painting.finish()


def test_what_is_shared_is_counted_and_both_ways_out_are_named() -> None:
    with pytest.raises(LabelError, match=r"organ and tumor \(in 8 voxels\) overlap") as caught:
        paint(TABLE, LabelOptions())
    assert caught.value.code == "label-overlap"
    assert "--precedence tumor,organ" in caught.value.remedy
    assert "--regions organ=organ+tumor" in caught.value.remedy


@pytest.mark.parametrize("first", ["organ", "tumor"])
@pytest.mark.parametrize(("precedence", "winner"), [(("tumor", "organ"), 2), (("tumor",), 2), (("organ",), 1)])
def test_precedence_decides_in_whatever_order_structures_come(
    precedence: tuple[str, ...], winner: int, first: str
) -> None:
    with listening() as said:
        labels = paint(TABLE, LabelOptions(precedence=precedence), first=first)
    assert (labels[ORGAN & TUMOR] == winner).all()
    assert (labels[ORGAN & ~TUMOR] == 1).all()
    assert (labels[TUMOR & ~ORGAN] == 2).all()
    assert [(item.severity, item.code) for item in said] == [("note", "label-overlap")]
    assert "(in 8 voxels)" in said[0].found


@pytest.mark.parametrize("first", ["organ", "tumor"])
def test_regions_keep_both_and_tell_what_lies_outside(first: str) -> None:
    with listening() as said:
        labels = paint(REGIONS, LabelOptions(), first=first)
    organ, tumor = (np.isin(labels, region.values) for region in REGIONS.regions)
    assert np.array_equal(tumor, TUMOR)
    assert np.array_equal(organ, ORGAN | TUMOR)
    assert [item.severity for item in said] == ["note", "warning"]
    assert said[1].found == "19 voxels of tumor lie outside of organ, and count as organ by its region"


def test_regions_of_other_labels_decide_nothing() -> None:
    table = LabelTable.from_names(["organ", "tumor", "vessel"])
    regions = (
        Region(name="organ", values=(1, 3), value=1),
        Region(name="tumor", values=(2,), value=2),
        Region(name="vessel", values=(3,), value=3),
    )
    table = table.model_copy(update={"regions": regions})
    with pytest.raises(LabelError, match="organ and tumor"):
        paint(table, LabelOptions())
    assert (paint(table, LabelOptions(precedence=("tumor",)))[ORGAN & TUMOR] == 2).all()
