from pathlib import Path

import numpy as np
import pytest
from counting import Counts
from dicoms import change, make_grid, write_series
from monai.transforms import LoadImaged

from medunet.errors import SeriesError
from medunet.preparation import VolumeReader
from medunet.reading import ReadOptions, find_image, find_series


def test_load_imaged_gets_dicom_exactly(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path, grid)
    load = LoadImaged(keys="image", ensure_channel_first=True)
    image = load({"image": str(tmp_path)}, reader=VolumeReader())["image"]
    assert np.array_equal(image[0].numpy(), voxels)
    assert np.allclose(image.affine, grid.affine, atol=1e-4)
    named = LoadImaged(keys="image", reader=VolumeReader, ensure_channel_first=True)({"image": str(tmp_path)})
    assert np.array_equal(named["image"].numpy(), image.numpy())


def test_a_series_can_be_chosen_and_a_refusal_is_final(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    voxels = write_series(tmp_path / "b", make_grid("axial"))
    uid = next(item.uid for item in find_series(tmp_path).series if item.folder.endswith("b"))
    load = LoadImaged(keys="image", ensure_channel_first=True)
    image = load({"image": str(tmp_path)}, reader=VolumeReader({str(tmp_path): ReadOptions(series=uid)}))["image"]
    assert np.array_equal(image[0].numpy(), voxels)
    change(tmp_path / "a", lambda dataset, _: setattr(dataset, "PixelSpacing", None))
    with pytest.raises(SeriesError, match="PixelSpacing is missing"):
        load({"image": str(tmp_path / "a")}, reader=VolumeReader())
    with pytest.raises(SeriesError, match="more paths"):
        VolumeReader().read(["a", "b"])


def test_an_image_that_was_found_is_not_looked_for_again(tmp_path: Path, counts: Counts) -> None:
    voxels = write_series(tmp_path, make_grid())
    image = find_image(tmp_path)
    counts.clear()
    load = LoadImaged(keys="image", ensure_channel_first=True)
    loaded = load({"image": image.path}, reader=VolumeReader(image))["image"]
    assert np.array_equal(loaded[0].numpy(), voxels)
    assert not counts.take("parse", tmp_path)
