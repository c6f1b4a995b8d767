"""MONAI alone predicts the self-test, in a process of its own, or says in one sentence why not."""

import shutil
from pathlib import Path

import pytest

from medunet.bundle import make_recipe, open_bundle
from medunet.errors import BundleError
from medunet.handover.alone import predict_alone
from medunet.handover.selftest import PLACE
from medunet.reading import read_mask, read_volume

NUCLEI = Path(__file__).parents[2] / "bundles" / "nuclei_unet2d"


@pytest.mark.slow
def test_what_fails_is_one_sentence(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / "b"))
    recipe = make_recipe(open_bundle(folder))
    images = folder / PLACE / "images"
    grid = read_volume(images / "case.png").grid
    (folder / "models" / "model.pt").unlink()
    with pytest.raises(BundleError, match="MONAI alone can't predict the self-test") as caught:
        predict_alone(folder, folder / "configs" / "inference.json", images, grid, recipe)
    assert caught.value.code == "bundle-selftest"
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_its_numbers_are_those_of_medunet() -> None:
    recipe = make_recipe(open_bundle(NUCLEI))
    images = NUCLEI / PLACE / "images"
    grid = read_volume(images / "case.png").grid
    mask = predict_alone(NUCLEI, NUCLEI / "configs" / "inference.json", images, grid, recipe)
    expected = read_mask(NUCLEI / PLACE / "mask.png", grid, recipe.task.labels)
    assert mask.kind == expected.kind == "instances"
    assert (mask.voxels != expected.voxels).mean() < 1e-3
