import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from dicoms import make_grid, write_series
from zoo import UNET, oriented, write_random_weights, write_zoo_bundle

import medunet
from medunet import measures
from medunet.bundle import open_any_bundle
from medunet.errors import ResourceError
from medunet.inference import (
    Maker,
    Means,
    Provision,
    Scan,
    Wanted,
    find_scan,
    finish_job,
    make_maker,
    plan_job,
    predict_scan,
    provide,
)
from medunet.scratch import Scratch
from medunet.writing import add_beside, choose_formats

WAYS: list[dict[str, Any]] = [
    {"labels_held": True},
    {"labels_held": False},
    {"labels_held": False, "lone": True, "held": 1},
    {"labels_held": False, "lone": True, "held": 0},
]


def predict(maker: Maker, scan: Scan, folder: Path, way: Provision) -> tuple[np.ndarray, dict[str, Any]]:
    """Labels as they were written, and what was measured of them."""
    job = plan_job("scan", scan, Wanted(add_beside(choose_formats((), "mm")), folder), maker)
    mask = predict_scan(maker.load(), scan, None, None, way)
    with way.settling():
        done = finish_job(job, mask, way=way)
    return np.asanyarray(nib.load(done.files["nifti"]).dataobj), json.loads(done.files["measures"].read_text())


def drop_confidence(measured: dict[str, Any]) -> dict[str, Any]:
    return measured | {"structures": [one | {"confidence": None} for one in measured["structures"]]}


def check_ways(maker: Maker, scan: Scan, folder: Path) -> None:
    labels, measured = predict(maker, scan, folder / "whole", Provision(0, 0))
    assert 0 < np.count_nonzero(labels) < labels.size
    for number, how in enumerate(WAYS):
        with Scratch(folder / "scratch") as room:
            streamed, again = predict(maker, scan, folder / str(number), Provision(1, 0, room, **how))
        assert np.array_equal(streamed, labels), how
        # Patches one by one round the network otherwise, which probabilities show and labels don't.
        assert drop_confidence(again) == drop_confidence(measured)
        for one, other in zip(again["structures"], measured["structures"], strict=True):
            assert (one["confidence"] is None) == (other["confidence"] is None)
            if one["confidence"] is not None:
                assert one["confidence"]["expected"] == pytest.approx(other["confidence"]["expected"], abs=1e-4)
        assert list((folder / "scratch").iterdir()) == []


@pytest.fixture(autouse=True)
def _much_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "LARGE", 6000)


def test_our_bundle_gives_the_same_labels_of_dicom(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    maker = make_maker(open_any_bundle(trained))
    check_ways(maker, find_scan(patients[1], maker.recipe.task), tmp_path)


def make_zoo(folder: Path, outputs: int, *steps: Any) -> Maker:
    bundle = write_zoo_bundle(folder / "bundle", UNET | {"out_channels": outputs}, oriented((1.5, 1.5, 3.0), *steps))
    write_random_weights(bundle)
    return make_maker(open_any_bundle(bundle))


def check_scan(maker: Maker, folder: Path) -> None:
    check_ways(maker, find_scan(folder / "scan.nii.gz", maker.recipe.task), folder)


def write_scan(path: Path, orientation: str, shape: tuple[int, int, int]) -> None:
    grid = make_grid(orientation, shape)
    values = np.random.default_rng(0).normal(40, 80, shape).astype(np.float32)
    image = nib.Nifti1Image(values, grid.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(grid.affine, 1)
    nib.save(image, path)


@pytest.mark.parametrize("orientation", ["axial", "oblique"])
def test_a_bundle_from_elsewhere_gives_the_same_labels_of_nifti(tmp_path: Path, orientation: str) -> None:
    write_scan(tmp_path / "scan.nii.gz", orientation, (44, 40, 14))
    check_scan(make_zoo(tmp_path, 5), tmp_path)


def test_steps_that_do_not_stream_give_the_same_labels(tmp_path: Path) -> None:
    write_scan(tmp_path / "scan.nii.gz", "axial", (40, 36, 14))
    crop = {"_target_": "CropForegroundd", "keys": "@image_key", "source_key": "@image_key", "margin": 2}
    check_scan(make_zoo(tmp_path, 3, crop), tmp_path)


@pytest.fixture
def giant(tmp_path: Path) -> Path:
    """The header of a scan of 512 × 512 × 300, whose voxels take nothing of the disk."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((512, 512, 300))
    header.set_xyzt_units("mm")
    header.set_sform(np.diag([0.8, 0.8, 1.25, 1.0]), 1)
    path = tmp_path / "scan.nii"
    with path.open("wb") as stream:
        header.write_to(stream)
        stream.truncate(352 + 2 * 512 * 512 * 300)
    return path


def foresee(maker: Maker, scan: Scan, folder: Path, gib: float) -> Provision:
    with provide(maker.load(), scan, None, Means(int(gib * 2**30), folder)) as way:
        return way


def test_what_fits_stays_in_memory_and_the_rest_streams(tmp_path: Path, giant: Path) -> None:
    maker = make_zoo(tmp_path, 5)
    scan = find_scan(giant, maker.recipe.task)
    ways = [foresee(maker, scan, tmp_path / "scratch", 100)]
    ways.append(foresee(maker, scan, tmp_path / "scratch", ways[0].peak / 2**30 - 0.05))
    assert ways[0].room is None
    assert ways[0].scratch == 0
    assert ways[1].room is not None
    assert ways[1].labels_held
    assert 2 * 512 * 512 * 300 < ways[1].scratch
    assert all(0 < way.peak <= way.limit for way in ways)
    least = ways[1].peak / 2**30
    tight = foresee(maker, scan, tmp_path / "scratch", least - 0.02)
    assert not tight.labels_held or tight.lone
    assert tight.peak <= tight.limit


def test_what_cannot_be_kept_is_refused_before_it_starts(tmp_path: Path, giant: Path) -> None:
    maker = make_zoo(tmp_path, 5)
    with pytest.raises(ResourceError, match=r"it takes .* GiB of memory, and 0\.10 are there; .*--ram") as refused:
        foresee(maker, find_scan(giant, maker.recipe.task), tmp_path, 0.1)
    assert refused.value.code == "memory-short"


def test_a_step_that_does_not_stream_is_named(tmp_path: Path, giant: Path) -> None:
    crop = {"_target_": "CropForegroundd", "keys": "@image_key", "source_key": "@image_key"}
    maker = make_zoo(tmp_path, 5, crop)
    with pytest.raises(ResourceError, match="CropForegroundd of its chain can't be streamed"):
        foresee(maker, find_scan(giant, maker.recipe.task), tmp_path, 0.1)


def test_a_refusal_leaves_nothing(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"0\.00 are there"):
        medunet.predict(trained, patients[0], output=tmp_path / "out", ram_gib=1e-4, scratch=tmp_path)
    assert not (tmp_path / "out").exists()


def test_slices_of_a_series_are_measured_by_their_headers(trained: Path, tmp_path: Path) -> None:
    write_series(tmp_path / "ct", make_grid("axial", (40, 36, 14)))
    maker = make_maker(open_any_bundle(trained))
    way = foresee(maker, find_scan(tmp_path / "ct", maker.recipe.task), tmp_path, 100)
    assert 0 < way.peak < 8 * 2**30
