from pathlib import Path

import numpy as np
import pytest

from medunet.errors import LabelError
from medunet.evaluation.masks import CaseMasks, Naming
from medunet.evaluation.pairs import Pair
from medunet.evaluation.unknown import mark_unknown
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask, Region

TABLE = LabelTable.from_names(["liver", "tumor", "spleen"])
NAMING = Naming.from_table(TABLE)


def make(*values: int, table: LabelTable = TABLE) -> CaseMasks:
    voxels = np.zeros((4, 4, 4), np.uint16)
    for place, value in enumerate(values):
        voxels[place] = value
    truth = Mask("instances" if table.objects else "classes", voxels, Grid(voxels.shape, np.eye(4)), table)
    return CaseMasks(((truth, truth),))


def pair(*contoured: str) -> Pair:
    return Pair("a", Path("a.nii.gz"), contoured=contoured)


def find(masks: CaseMasks) -> tuple[int, ...]:
    return masks.parts[0][1].unknown


def test_without_a_word_what_is_missing_is_absent() -> None:
    masks = make(1)
    assert mark_unknown(masks, Pair("a", Path("a.nii.gz")), NAMING) is masks


def test_what_is_contoured_is_known_however_it_is_written() -> None:
    marked = mark_unknown(make(1), pair("LIVER", "tumor"), NAMING)
    assert find(marked) == (3,)
    assert marked.left_out == ("spleen, which nobody looked for",)
    # The word of a case counts more than that of all.
    assert find(mark_unknown(make(1), pair("liver", "tumor"), NAMING, "unknown")) == (3,)


def test_missing_is_unknown_where_that_is_said() -> None:
    assert find(mark_unknown(make(2), Pair("a", Path("a.nii.gz")), NAMING, "unknown")) == (1, 3)


def test_voxels_of_what_nobody_looked_for_are_refused() -> None:
    with pytest.raises(LabelError, match=r"voxels of tumor, of which the table says that nobody looked for it"):
        mark_unknown(make(1, 2), pair("liver"), NAMING)


def test_objects_are_known_or_not_together() -> None:
    table = LabelTable.from_names(["cell"], objects=True)
    assert find(mark_unknown(make(1, 2, table=table), pair("cell"), Naming.from_table(table))) == ()
    assert find(mark_unknown(make(table=table), pair("other"), Naming.from_table(table))) == (1,)


def test_a_region_that_is_scored_alone_is_known_with_all_its_labels() -> None:
    regions = (Region(name="organ", values=(1, 2), value=1),)
    naming = Naming({1: "liver", 2: "tumor"}, regions)
    alone = LabelTable.from_names(["organ"])
    assert find(mark_unknown(make(table=alone), pair("liver"), naming)) == (1,)
    assert find(mark_unknown(make(1, table=alone), pair("liver", "tumor"), naming)) == ()
