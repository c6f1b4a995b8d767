from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from plans import make_test_plan

from medunet.cohort import Case, Channel
from medunet.errors import BundleError, SeriesError
from medunet.planning import name_keys
from medunet.preparation import locate_images, make_preprocessing, run_chain
from medunet.preparation.chain import instantiate


def ramp(grid: "object") -> np.ndarray:
    world = grid.to_world(np.argwhere(np.ones(grid.shape, bool)))  # type: ignore[attr-defined]
    return np.rint(world @ (2.0, -1.0, 3.0)).reshape(grid.shape).astype(np.int16)  # type: ignore[attr-defined]


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "oblique"])
def test_values_stay_at_their_place_in_the_world(tmp_path: Path, orientation: str) -> None:
    grid = make_grid(orientation, (40, 36, 30))
    write_series(tmp_path, grid, ramp(grid))
    plan = make_test_plan()
    image = run_chain(make_preprocessing(plan), {"image": str(tmp_path)})
    assert np.allclose(np.linalg.norm(np.asarray(image.affine)[:3, :3], axis=0), plan.spacing_mm, atol=1e-3)
    indices = np.argwhere(np.ones(image.shape[1:], bool))
    world = indices @ np.asarray(image.affine)[:3, :3].T + np.asarray(image.affine)[:3, 3]
    inside = np.all((grid.to_voxel(world) > 1) & (grid.to_voxel(world) < np.array(grid.shape) - 2), axis=1)
    how = plan.normalization["ct"]
    expected = (np.clip(world @ (2.0, -1.0, 3.0), how.low, how.high) - how.mean) / how.sd
    assert inside.sum() > 500
    assert np.abs(image.numpy()[0].reshape(-1) - expected)[inside].max() < 0.05


def test_channels_meet_on_the_grid_of_the_first(tmp_path: Path) -> None:
    ct, pet = make_grid("axial", (40, 36, 30)), make_grid("axial", (20, 18, 16))
    write_series(tmp_path / "ct", ct)
    write_series(tmp_path / "pet", pet)
    paths = {"ct": str(tmp_path / "ct"), "pet": str(tmp_path / "pet")}
    image = run_chain(make_preprocessing(make_test_plan(channels=("ct", "pet"))), paths)
    alone = run_chain(make_preprocessing(make_test_plan()), {"image": paths["ct"]})
    assert image.shape == (2, *alone.shape[1:])
    assert np.allclose(image.numpy()[0], alone.numpy()[0], atol=1e-5)


def test_a_refusal_keeps_its_sentence(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, "PixelSpacing", None), only=[1])
    with pytest.raises(SeriesError, match="PixelSpacing is missing"):
        run_chain(make_preprocessing(make_test_plan()), {"image": str(tmp_path)})


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"_target_": "os.system", "command": "true"}, "not a plain MONAI transform"),
        ({"_target_": "Lambdad", "keys": "image", "func": "$lambda x: x"}, "not a plain MONAI transform"),
        ({"_target_": "Spacingd", "keys": "image", "pixdin": 1}, "can't be built"),
    ],
)
def test_a_chain_is_data(step: dict[str, object], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        instantiate([step])


def test_a_single_channel_is_called_image_and_chosen_series_go_along() -> None:
    case = Case(id="a", patient="a", channels={"ct": Channel(path="x"), "pet": Channel(path="y", series="1.2")})
    assert name_keys(("ct",)) == ("image",)
    assert locate_images(case, ("ct",)) == ({"image": "x"}, {})
    assert locate_images(case, ("ct", "pet")) == ({"ct": "x", "pet": "y"}, {"y": "1.2"})
