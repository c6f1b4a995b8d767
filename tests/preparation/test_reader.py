from pathlib import Path

import numpy as np
import pytest
from counting import Counts
from dicoms import change, make_grid, write_series
from monai.bundle import ConfigParser
from monai.transforms import Compose, LoadImage, LoadImaged

from medunet.errors import MedunetError, SeriesError, find_medunet_error
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
        load({"image": ["a", "b"]}, reader=VolumeReader())


def test_an_image_that_was_found_is_not_looked_for_again(tmp_path: Path, counts: Counts) -> None:
    voxels = write_series(tmp_path, make_grid())
    image = find_image(tmp_path)
    counts.clear()
    load = LoadImaged(keys="image", ensure_channel_first=True)
    loaded = load({"image": image.path}, reader=VolumeReader(image))["image"]
    assert np.array_equal(loaded[0].numpy(), voxels)
    assert not counts.take("parse", tmp_path)


NAME = "medunet.preparation.VolumeReader"
WAYS = {
    "object": lambda: LoadImaged(keys="image", reader=VolumeReader()),
    "class": lambda: LoadImaged(keys="image", reader=VolumeReader),
    "text": lambda: LoadImaged(keys="image", reader=NAME),
    "several": lambda: LoadImaged(keys="image", reader=["NibabelReader", NAME]),
    "registered": lambda: _register(LoadImaged(keys="image")),
    "json": lambda: _parse({"_target_": "LoadImaged", "keys": "image", "reader": {"_target_": NAME}}),
    "json text": lambda: _parse({"_target_": "LoadImaged", "keys": ["image"], "reader": NAME}),
}


def _register(load: LoadImaged) -> LoadImaged:
    load.register(VolumeReader())
    return load


def _parse(step: dict[str, object]) -> LoadImaged:
    load: LoadImaged = ConfigParser({"load": step}).get_parsed_content("load")
    return load


@pytest.mark.parametrize("way", WAYS)
def test_monai_never_falls_back_to_a_reader_of_its_own(tmp_path: Path, way: str) -> None:
    voxels = write_series(tmp_path / "whole", make_grid())
    write_series(tmp_path / "gap", make_grid())
    sorted((tmp_path / "gap").iterdir())[2].unlink()
    load = WAYS[way]()
    assert np.array_equal(np.squeeze(load({"image": str(tmp_path / "whole")})["image"].numpy()), voxels)
    with pytest.raises(RuntimeError) as caught:
        Compose([load])({"image": str(tmp_path / "gap")})
    assert "missing" in str(find_medunet_error(caught.value))
    with pytest.raises(MedunetError, match="missing"):
        load({"image": str(tmp_path / "gap")})


def test_no_kind_of_error_lets_monai_fall_back(tmp_path: Path) -> None:
    """Files that its own readers take: several at once, and one that isn't there beside one that is."""
    write_series(tmp_path, make_grid())
    files = list(map(str, sorted(tmp_path.iterdir())))
    for given in (files, files[:2], tmp_path / "none.nii.gz"):
        with pytest.raises(MedunetError):
            LoadImage(reader=VolumeReader())(given)
    with pytest.raises(AttributeError):
        LoadImage(reader=VolumeReader(options=3))(files[0])  # type: ignore[arg-type]
