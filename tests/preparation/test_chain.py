from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, make_pet, write_phases, write_series
from monai.transforms import Compose
from PIL import Image
from plans import make_test_plan
from pydicom import Dataset

from medunet.cohort import Case, Channel
from medunet.errors import BundleError, InputError, SeriesError
from medunet.planning import Normalization, Plan
from medunet.preparation import find_images, find_source_grid, make_preprocessing, run_chain
from medunet.preparation.chain import instantiate
from medunet.reading import ReadOptions, find_image, find_series
from medunet.task import name_keys


def ramp(grid: "object") -> np.ndarray:
    world = grid.to_world(np.argwhere(np.ones(grid.shape, bool)))  # type: ignore[attr-defined]
    return np.rint(world @ (2.0, -1.0, 3.0)).reshape(grid.shape).astype(np.int16)  # type: ignore[attr-defined]


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "oblique"])
def test_values_stay_at_their_place_in_the_world(tmp_path: Path, orientation: str) -> None:
    grid = make_grid(orientation, (40, 36, 30))
    write_series(tmp_path, grid, ramp(grid))
    plan = make_test_plan()
    image = run_chain(make_preprocessing(plan), {"image": find_image(tmp_path)})
    assert np.allclose(np.linalg.norm(np.asarray(image.affine)[:3, :3], axis=0), plan.grid.spacing_mm, atol=1e-3)
    indices = np.argwhere(np.ones(image.shape[1:], bool))
    world = indices @ np.asarray(image.affine)[:3, :3].T + np.asarray(image.affine)[:3, 3]
    inside = np.all((grid.to_voxel(world) > 1) & (grid.to_voxel(world) < np.array(grid.shape) - 2), axis=1)
    how = plan.grid.normalization["ct"]
    expected = (np.clip(world @ (2.0, -1.0, 3.0), how.low, how.high) - how.mean) / how.sd
    assert inside.sum() > 500
    assert np.abs(image.numpy()[0].reshape(-1) - expected)[inside].max() < 0.05


def test_channels_meet_on_the_grid_of_the_first(tmp_path: Path) -> None:
    ct, pet = make_grid("axial", (40, 36, 30)), make_grid("axial", (20, 18, 16))
    write_series(tmp_path / "ct", ct)
    write_series(tmp_path / "pet", pet)
    images = {"ct": find_image(tmp_path / "ct"), "pet": find_image(tmp_path / "pet")}
    image = run_chain(make_preprocessing(make_test_plan(channels=("ct", "pet"))), images)
    alone = run_chain(make_preprocessing(make_test_plan()), {"image": images["ct"]})
    assert image.shape == (2, *alone.shape[1:])
    assert np.allclose(image.numpy()[0], alone.numpy()[0], atol=1e-5)


def test_a_refusal_keeps_its_sentence(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, "PixelSpacing", None), only=[1])
    with pytest.raises(SeriesError, match="PixelSpacing is missing"):
        run_chain(make_preprocessing(make_test_plan()), {"image": find_image(tmp_path)})


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


def test_a_single_channel_is_called_image_and_chosen_series_go_along(tmp_path: Path) -> None:
    for name in ("x", "y"):
        write_series(tmp_path / name, make_grid("axial" if name == "x" else "oblique"))
    x, y = str(tmp_path / "x"), str(tmp_path / "y")
    uid = find_series(y).series[0].uid
    case = Case(id="a", patient="a", channels={"ct": Channel(path=x), "pet": Channel(path=y, series=uid)})
    assert name_keys(("ct",)) == ("image",)
    (alone,) = find_images(case, ("ct",)).items()
    assert (alone[0], alone[1].path, alone[1].options) == ("image", x, Channel(path=x))
    images = find_images(case, ("ct", "pet"))
    assert {key: image.path for key, image in images.items()} == {"ct": x, "pet": y}
    assert {key: image.options.series for key, image in images.items()} == {"ct": None, "pet": uid}
    assert [image.series and image.series.folder for image in images.values()] == [x, y]


def test_two_phases_of_one_series_are_two_channels(tmp_path: Path) -> None:
    grid = make_grid("axial", (20, 18, 16))
    first, second = write_phases(tmp_path, [grid, grid], [lambda _: {"EchoTime": 2}, lambda _: {"EchoTime": 5}])
    case = Case(
        id="a",
        patient="a",
        channels={
            "ct": Channel(path=str(tmp_path), phase="EchoTime 5"),
            "pet": Channel(path=str(tmp_path), phase="EchoTime 2"),
        },
    )
    load = make_preprocessing(make_test_plan(channels=("ct", "pet")))[:2]
    steps = [*load, {"_target_": "ConcatItemsd", "keys": ["ct", "pet"], "name": "image"}]
    assert np.array_equal(run_chain(steps, find_images(case, ("ct", "pet"))).numpy(), [second, first])


def make_picture_plan(components: int) -> Plan:
    each = {"mr": Normalization(kind="each")}
    task = {"unit": "px", "components": {"mr": components}}
    return make_test_plan(dims=2, channels=("mr",)).change(task=task, grid={"normalization": each})


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_grey_is_repeated_alpha_cut_off_and_colour_kept(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    if shape[-1] == 4:
        pixels[..., 3] = 255
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    steps = make_preprocessing(make_picture_plan(3))
    ours = run_chain(steps, {"image": find_image(path)}, task=make_picture_plan(3).task)
    theirs = Compose(instantiate(steps))({"image": str(path)})["image"]
    assert np.array_equal(ours.numpy()[..., 0], theirs.numpy())
    colours = np.atleast_3d(pixels)[..., :3].astype(float)
    expected = ((colours - colours.mean((0, 1))) / colours.std((0, 1))).transpose(2, 1, 0)
    assert np.allclose(ours.numpy()[..., 0], np.broadcast_to(expected, (3, 7, 5)), atol=1e-5)
    grid = find_source_grid(ours)
    assert (grid.shape, grid.unit) == ((7, 5, 1), "px")
    assert np.array_equal(grid.affine, np.eye(4))
    assert np.array_equal(ours.affine, np.eye(4))


def test_what_the_bundle_was_not_planned_for_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(path)
    grey, volumes = make_picture_plan(1), make_test_plan()
    with pytest.raises(InputError, match=r"a\.png: it has 3 components, but the bundle takes 1; give images like"):
        run_chain(make_preprocessing(grey), {"image": find_image(path)}, task=grey.task)
    with pytest.raises(
        InputError, match=r"a\.png: it is a picture, but the bundle takes images with a physical size; give the scan as"
    ):
        run_chain(make_preprocessing(volumes), {"image": find_image(path)}, task=volumes.task)
    grid = make_grid()
    write_series(tmp_path / "ct", grid)
    with pytest.raises(
        InputError, match="it is no picture, but the bundle takes pictures; give PNG, or take another bundle"
    ):
        run_chain(make_preprocessing(grey), {"image": find_image(tmp_path / "ct")}, task=grey.task)


def test_values_in_other_units_than_those_of_training_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())

    def edit(dataset: Dataset, _: int) -> None:
        make_pet(dataset)
        dataset.RescaleIntercept = 0

    change(tmp_path, edit)
    plan = make_test_plan(channels=("pet",)).change(task={"units": {"pet": "SUVbw"}})
    assert run_chain(make_preprocessing(plan), {"image": find_image(tmp_path)}, plan.task).shape[0] == 1
    with pytest.raises(
        InputError, match=r"its values are in BQML \(.*as stored\), but the bundle takes SUVbw; give it in SUVbw"
    ):
        run_chain(make_preprocessing(plan), {"image": find_image(tmp_path, ReadOptions(pet="stored"))}, plan.task)
    change(tmp_path, lambda dataset, _: setattr(dataset, "PatientWeight", None))
    with pytest.raises(InputError, match="not SUV: Patient's Weight is missing"):
        run_chain(make_preprocessing(plan), {"image": find_image(tmp_path)}, plan.task)


def test_slices_of_a_2d_network_stay_where_they_are(tmp_path: Path) -> None:
    grid = make_grid("axial", (40, 36, 30))
    write_series(tmp_path, grid)
    image = run_chain(make_preprocessing(make_test_plan(dims=2)), {"image": find_image(tmp_path)})
    spacing = np.linalg.norm(np.asarray(image.affine)[:3, :3], axis=0)
    assert spacing == pytest.approx((3.0, 3.0, grid.spacing[2]), abs=1e-3)
    assert image.shape[3] == grid.shape[2]
