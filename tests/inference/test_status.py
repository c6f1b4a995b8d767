from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from plans import make_test_plan
from pydicom import Dataset

import medunet
from medunet.errors import MedunetError, SeriesError
from medunet.inference import Refusal, find_refusal, find_scan
from medunet.inference.status import Analysed, Refused, Status, find_status
from medunet.labels import LabelTable, Mask

TASK = make_test_plan().task


def test_a_mask_of_what_is_ignored_holds_nothing() -> None:
    table = LabelTable(labels=LabelTable.from_names(["lesion"]).labels, ignore=9)
    grid = make_grid("axial", (2, 2, 2))
    for value, wanted in ((0, "nothing found"), (9, "nothing found"), (1, "segmented")):
        assert find_status(Mask("classes", np.full(grid.shape, value, np.uint8), grid, table)) == wanted
    assert {*get_args(Analysed), *get_args(Refused)} == set(get_args(Status))


def test_what_is_no_channel_is_told_apart_from_what_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    write_series(tmp_path / "b", make_grid("sagittal"))
    found = {}
    for name, path, task in (
        ("several", tmp_path, TASK),
        ("none", tmp_path, make_test_plan(channels=("mr",)).task),
        ("gone", tmp_path / "c", TASK),
    ):
        with pytest.raises(MedunetError) as caught:
            find_scan(path, task)
        found[name] = find_refusal(caught.value)
    assert found == {"several": "nothing matched", "none": "nothing matched", "gone": "refused"}
    assert find_refusal(SeriesError("a", "b", "c")) == "refused"


def test_predict_and_trees_say_the_same(trained: Path, tmp_path: Path) -> None:
    """A tree of several patients is matched patient by patient, by functions of its own."""
    for name, uid in (("a", "1.2.1"), ("b", "1.2.2")):
        for number in (5, 6):
            folder = tmp_path / name / str(number)
            write_series(folder, make_grid("axial", (12, 10, number)))
            own = Dataset()
            own.PatientID, own.StudyInstanceUID, own.SeriesInstanceUID = name, uid, f"{uid}.{number}"
            change(folder, lambda dataset, _, own=own: dataset.update(own))
    for given in (tmp_path / "a", tmp_path):
        results = list(medunet.predict_each(trained, given))
        assert {item.status for item in results if isinstance(item, Refusal)} == {"nothing matched: channel-ambiguous"}
        assert len(results) == (1 if given.name == "a" else 2)
