from pathlib import Path

import numpy as np
import pytest

from medunet.evaluation import CaseMasks, CaseScore, score_case
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import Image, Source, Volume
from medunet.report.gallery import Gallery
from medunet.saving import save_volume

GRID = Grid((20, 20, 8), np.diag([2.0, 2.0, 4.0, 1.0]))


def make_case(width: int, image: Image | None = None) -> tuple[CaseMasks, tuple[CaseScore, ...]]:
    masks = []
    for stop in (10 + width, 10):
        voxels = np.zeros(GRID.shape, np.uint8)
        voxels[4:stop, 4:12, 2:6] = 1
        masks.append(Mask("classes", voxels, GRID, LabelTable.from_names(["a"])))
    return CaseMasks(((masks[0], masks[1]),), image=image), score_case(*masks, "x")


def test_the_lowest_are_kept_in_their_order() -> None:
    gallery = Gallery(most=3)
    for name, width in (("a", 0), ("b", 6), ("c", 1), ("d", 5), ("e", 2)):
        gallery.add(name, *make_case(width))
    assert [picture.caption for picture in gallery.list_pictures()] == ["b", "d", "e"]


@pytest.mark.parametrize("flip", [False, True])
def test_the_image_lies_below_where_it_lies_on_the_grid(flip: bool, tmp_path: Path) -> None:
    values = np.zeros((1, *GRID.shape), np.int16)
    values[0, :10] = 100
    grid = GRID
    if flip:
        grid = Grid(GRID.shape, GRID.affine @ np.array([[-1, 0, 0, 19], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
        values = values[:, ::-1].copy()
    path = save_volume(Volume(values, grid, Source(path="")), tmp_path / "i.nii.gz")
    shown, black = Gallery(), Gallery()
    shown.add("x", *make_case(1, Image(str(path))))
    black.add("x", *make_case(1))
    right, none = (np.asarray(g.list_pictures()[0].image, dtype=int).sum() for g in (shown, black))
    assert right > 2 * none
    elsewhere = Volume(values, Grid(GRID.shape, np.diag([3.0, 2.0, 4.0, 1.0])), Source(path=""))
    moved = Gallery()
    moved.add("x", *make_case(1, Image(str(save_volume(elsewhere, tmp_path / "j.nii.gz")))))
    moved.add("y", *make_case(1, Image(str(tmp_path / "gone.nii.gz"))))
    assert all(np.asarray(picture.image, dtype=int).sum() == none for picture in moved.list_pictures()[:1])
    assert len(moved.list_pictures()) == 2


def test_labels_that_share_voxels_are_drawn_together() -> None:
    (pair,), scores = make_case(2)[0].parts, make_case(2)[1]
    one, two = Gallery(), Gallery()
    one.add("x", CaseMasks((pair,)), scores)
    two.add("x", CaseMasks((pair, pair)), scores)
    pictures = [np.asarray(gallery.list_pictures()[0].image) for gallery in (one, two)]
    assert np.array_equal(*pictures)
