import shutil
from pathlib import Path

import numpy as np
import pytest
from discs import draw_discs
from PIL import Image

from medunet.cohort import check_cohort, find_cohort, read_channel, read_label
from medunet.errors import InputError, LabelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw_discs(tmp_path / "in", 4)
    return tmp_path / "in"


def test_pictures_and_label_maps_meet_by_name(folder: Path) -> None:
    (folder / "labels" / "disc2.png").unlink()
    cohort = find_cohort(folder, objects=True)
    assert [case.id for case in cohort.cases] == ["disc0", "disc1", "disc2", "disc3"]
    assert [case.id for case in check_cohort(cohort, "in").cases] == ["disc0", "disc1", "disc3"]
    volume = read_channel(cohort.cases[1], "image")
    assert volume.voxels.shape == (3, 128, 128, 1)
    assert (cohort.labels.names, cohort.labels.objects) == (("object",), True)
    mask = read_label(cohort, cohort.cases[1], volume.grid)
    assert (mask.kind, np.unique(mask.voxels).tolist()) == ("instances", [0, 1, 2, 3, 4, 5, 6])


def test_few_values_are_classes_and_many_are_objects(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert find_cohort(folder).labels.names == tuple(f"label {n}" for n in range(1, 7))
    assert "if they number objects, add --objects" in caplog.text
    path = folder / "labels" / "disc0.png"
    Image.fromarray(np.asarray(Image.open(path)) * 20).save(path)
    assert find_cohort(folder).labels.objects
    for label in (folder / "labels").iterdir():
        Image.fromarray((np.asarray(Image.open(label)) > 0).astype(np.uint8)).save(label)
    table = find_cohort(folder).labels
    assert (table.names, table.objects) == (("object",), False)


def test_what_does_not_fit_is_named(folder: Path) -> None:
    shutil.copy(folder / "labels" / "disc0.png", folder / "labels" / "stray.png")
    with pytest.raises(LabelError, match=r"stray\.png: no picture in images has its name"):
        find_cohort(folder)
    (folder / "labels" / "stray.png").unlink()
    (folder / "images" / "photo.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"photo\.jpg: it is no PNG"):
        find_cohort(folder)
    (folder / "images" / "photo.jpg").unlink()
    shutil.copy(folder / "images" / "disc0.png", folder / "images" / "disc0.PNG")
    with pytest.raises(InputError, match="the same name"):
        find_cohort(folder)
    (folder / "images" / "disc0.PNG").unlink()
    for path in (folder / "labels").iterdir():
        path.unlink()
    with pytest.raises(LabelError, match="labels: it holds no PNG"):
        find_cohort(folder)
