import json
from pathlib import Path

import numpy as np
import pytest

from medunet.cohort import find_cohort, open_case
from medunet.cohort.discovery import is_listed
from medunet.errors import InputError, LabelError, RecordError
from medunet.geometry import Grid
from medunet.reading import Source, Volume
from medunet.saving import save_volume

GRID = Grid((6, 6, 4), np.diag([1.0, 1.0, 2.0, 1.0]))


def save(path: Path, *values: int) -> None:
    voxels = np.zeros(GRID.shape, np.int16)
    for place, value in enumerate(values):
        voxels[place] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    save_volume(Volume(voxels[None], GRID, Source(path="")), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two CTs, of which one has both labels."""
    for name, held in (("a", (1, 2)), ("b", (1,))):
        save(tmp_path / "images" / f"{name}.nii.gz", -1000, 40)
        save(tmp_path / "labels" / f"{name}.nii.gz", *held)
    return tmp_path


def test_volumes_and_label_maps_meet_by_name(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        cohort = find_cohort(folder)
    assert is_listed(folder)
    assert (cohort.channels, cohort.modalities, cohort.labels.names) == (
        ("image",),
        {"image": "OT"},
        ("label 1", "label 2"),
    )
    assert "name it, as with --channels ct" in caplog.text
    volume, mask = open_case(cohort, cohort.cases[0])
    assert (volume.grid.shape, np.unique(mask.voxels).tolist()) == ((6, 6, 4), [0, 1, 2])


def test_names_of_channels_and_labels_are_said(folder: Path) -> None:
    (folder / "labels.json").write_text(json.dumps({"liver": 1, "tumor": 2}))
    cohort = find_cohort(folder, ("ct",))
    assert (cohort.channels, cohort.modalities, cohort.labels.names) == (("ct",), {"ct": "CT"}, ("liver", "tumor"))
    (folder / "labels.json").unlink()
    told = {"labels": {"1": "liver", "2": "tumor"}, "contoured": {"a": ["liver", "tumor"], "b": ["liver"]}}
    (folder / "contoured.json").write_text(json.dumps(told))
    cohort = find_cohort(folder)
    assert (cohort.labels.names, cohort.cases[1].contoured) == (("liver", "tumor"), ("liver",))
    (folder / "contoured.json").write_text(json.dumps({"labels": {"liver": 2}, "contoured": {}}))
    with pytest.raises(RecordError, match=r"contoured\.json: its label values besides background are 2"):
        find_cohort(folder)


def test_channels_by_their_numbers(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in (0, 1):
            save(tmp_path / "images" / f"{name}_000{number}.nii.gz", 1)
        save(tmp_path / "labels" / f"{name}.nii", 1)
    assert find_cohort(tmp_path).channels == ("image_0", "image_1")
    cohort = find_cohort(tmp_path, ("ct", "pet"))
    assert cohort.modalities == {"ct": "CT", "pet": "PT"}
    assert Path(cohort.cases[1].channels["pet"].path).name == "b_0001.nii.gz"
    with pytest.raises(InputError, match=r"its cases have 2 channels; name each, not ct"):
        find_cohort(tmp_path, ("ct",))
    (tmp_path / "images" / "b_0001.nii.gz").unlink()
    with pytest.raises(InputError, match="case b: it has 1 of 2 channels"):
        find_cohort(tmp_path)


def test_objects_are_numbered(folder: Path) -> None:
    save(folder / "labels" / "b.nii.gz", 1, 40)
    assert find_cohort(folder).labels.objects
    save(folder / "labels" / "b.nii.gz", 1)
    assert find_cohort(folder, objects=True).labels.objects


def test_what_does_not_fit_is_named(folder: Path) -> None:
    save(folder / "labels" / "c.nii.gz", 1)
    with pytest.raises(LabelError, match=r"c\.nii\.gz: no volume in images has its name"):
        find_cohort(folder)
    (folder / "labels" / "c.nii.gz").unlink()
    save(folder / "images" / "a.nii", 1)
    with pytest.raises(InputError, match=r"a\.nii\.gz: a\.nii has the same name and another ending"):
        find_cohort(folder)
    (folder / "images" / "a.nii").unlink()
    for path in (folder / "labels").iterdir():
        path.unlink()
    with pytest.raises(LabelError, match="labels: it holds no label map"):
        find_cohort(folder)
