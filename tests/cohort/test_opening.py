from pathlib import Path

import numpy as np
import pytest
from cohorts import write_cohort
from dicoms import change, draw_balls, make_grid, write_mask, write_series

from medunet.cohort import Case, Channel, Cohort, LabelSource, find_cohort, open_case
from medunet.errors import LabelError
from medunet.labels import LabelTable


def test_image_and_labels_are_opened_together_and_in_one_frame_of_reference(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "ct", grid)
    write_mask(tmp_path / "contours.dcm", np.asarray(draw_balls(grid).voxels), grid, voxels)
    channel, label = Channel(path=str(tmp_path / "ct")), LabelSource(path=str(tmp_path / "contours.dcm"))
    case = Case(id="p", patient="p", channels={"ct": channel}, label=label)
    labels = LabelTable.from_names(["lesion"])
    cohort = Cohort(channels=("ct",), modalities={"ct": "CT"}, labels=labels, cases=(case,))
    volume, mask = open_case(cohort, case)
    assert np.array_equal(volume.voxels[0], voxels)
    assert mask.grid is volume.grid
    assert np.array_equal(mask.voxels, draw_balls(grid).voxels)
    # A frame of its own doesn't matter where the contours name the slices.
    change(tmp_path / "ct", lambda dataset, _: setattr(dataset, "FrameOfReferenceUID", "1.2.3"))
    assert np.array_equal(open_case(cohort, case)[1].voxels, mask.voxels)
    change(tmp_path / "ct", lambda dataset, n: setattr(dataset, "SOPInstanceUID", f"1.2.4.{n}"))
    with pytest.raises(LabelError, match="its frame of reference is not that of its image"):
        open_case(cohort, case)


@pytest.mark.parametrize(
    ("contoured", "missing", "unknown"),
    [
        (None, None, ()),
        (None, "absent", ()),
        (None, "unknown", (3,)),
        (("a", "b", "c"), "unknown", ()),
        (("a", "b"), "absent", (3,)),
        (("b", "a"), None, (3,)),
    ],
)
def test_a_mask_says_what_nobody_looked_for(
    tmp_path: Path, contoured: tuple[str, ...] | None, missing: str | None, unknown: tuple[int, ...]
) -> None:
    cohort = find_cohort(write_cohort(tmp_path / "in", labels=("a", "b"), patients="ab"))
    table = LabelTable.from_names(["a", "b", "c"])
    cohort = cohort.model_copy(update={"labels": table, "missing": missing})
    case = cohort.cases[0].model_copy(update={"contoured": contoured})
    assert open_case(cohort, case)[1].unknown == unknown


def test_voxels_of_a_label_that_nobody_looked_for_are_a_contradiction(tmp_path: Path) -> None:
    cohort = find_cohort(write_cohort(tmp_path / "in", labels=("a", "b"), patients="ab"))
    case = cohort.cases[0].model_copy(update={"contoured": ("a",)})
    with pytest.raises(LabelError, match="it has voxels of b, of which the case says that nobody looked for it"):
        open_case(cohort, case)


def test_a_structure_that_a_file_has_not_is_read_as_unknown_where_that_is_said(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "ct", grid)
    write_mask(tmp_path / "contours.dcm", np.asarray(draw_balls(grid).voxels), grid, voxels)
    label = LabelSource(path=str(tmp_path / "contours.dcm"))
    case = Case(id="p", patient="p", channels={"ct": Channel(path=str(tmp_path / "ct"))}, label=label)
    table = LabelTable.from_names(["node", "lesion"])
    cohort = Cohort(channels=("ct",), modalities={"ct": "CT"}, labels=table, cases=(case,))
    with pytest.raises(LabelError, match="it has no structure 'node'"):
        open_case(cohort, case)
    mask = open_case(cohort, case.model_copy(update={"contoured": ("lesion",)}))[1]
    assert (mask.unknown, [region.name for region in mask.list_known()]) == ((1,), ["lesion"])
    absent = case.model_copy(update={"label": label.model_copy(update={"rois": {"node": ""}})})
    for missing, unknown in (("absent", ()), ("unknown", (1,))):
        said = cohort.model_copy(update={"missing": missing})
        found = open_case(said, absent)[1]
        assert found.unknown == unknown
        assert np.array_equal(found.voxels, mask.voxels)
