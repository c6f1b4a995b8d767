from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicoms import make_pet
from pydicom import dcmread
from real_series import RealSeries, Truth, find_real_series, judge_real, read_truth
from truth import assemble

from medunet.testing.faults import FAULTS, Scan, make_scan, places, values

BY_CODE = {fault.code: fault for fault in FAULTS}


def write(scan: Scan, folder: Path) -> RealSeries:
    scan.write(folder)
    (series,) = find_real_series(folder)[0]
    return series


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return read_truth(write(make_scan("oblique"), tmp_path_factory.mktemp("clean")))


def test_series_are_found_by_their_uid_and_other_files_are_counted(tmp_path: Path) -> None:
    scan = make_scan()
    places.split_uid(scan)
    scan.write(tmp_path / "patient" / "CT")
    make_scan(seed=1).write(tmp_path / "other")
    for path in (tmp_path / "patient" / "CT").iterdir():
        path.rename(path.with_suffix(""))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.dcm").write_bytes(b"")
    plan = dcmread(tmp_path / "other" / "0001.dcm")
    plan.Modality = "SEG"
    plan.save_as(tmp_path / "other" / "segments.dcm")
    found, others = find_real_series(tmp_path)
    assert [(series.name, len(series.files)) for series in found] == [
        ("other CT", 9),
        ("patient/CT CT", 8),
        ("patient/CT CT", 1),
    ]
    assert others == 3


@pytest.mark.parametrize(
    "code", ["00", "25", "48", "57", "62", "65", "71", "72", "73", "76", "77", "79", "93", "B1", "97", "99"]
)
def test_headers_say_where_and_what_the_pixels_are(code: str, tmp_path: Path) -> None:
    """Coded, packed, rescaled and moved: against what was written."""
    scan = BY_CODE[code].make("oblique")
    truth = read_truth(write(scan, tmp_path))
    assert len(truth.slices) == len(scan.slices)
    for item in scan.slices:
        nearest = min(truth.slices, key=lambda other: float(np.linalg.norm(other.position - item.position)))
        assert np.abs(nearest.corners() - item.corners()).max() < 1e-6
        assert np.abs(nearest.values - item.values).max() <= truth.tolerance


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("29", "ImagePositionPatient is missing"),
        ("38", "PixelSpacing is missing"),
        ("68", "no grey"),
        ("B14", "HighBit"),
    ],
)
def test_headers_that_say_nothing_are_told(code: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        read_truth(write(BY_CODE[code].make("axial"), tmp_path))


def test_frames_without_places_are_told(tmp_path: Path) -> None:
    scan = make_scan()
    values.pack_frames()(scan)
    del scan.slices[0].dataset.PerFrameFunctionalGroupsSequence
    with pytest.raises(ValueError, match="its frames don't say where they lie"):
        read_truth(write(scan, tmp_path))


def test_a_loss_is_allowed_and_large_values_are_rounded(tmp_path: Path) -> None:
    assert read_truth(write(BY_CODE["60"].make("axial"), tmp_path / "lossy")).tolerance == 2
    scan = make_scan()
    for item in scan.slices:
        make_pet(item.dataset)
        item.dataset.RescaleSlope, item.dataset.RescaleIntercept = "1000", "0"
    truth = read_truth(write(scan, tmp_path / "pet"))
    assert truth.tolerance == pytest.approx(1e-6 * max(float(item.values.max()) for item in truth.slices))


def test_axes_may_have_any_order_and_direction(clean: Truth) -> None:
    voxels, affine = assemble(Scan(list(clean.slices)))
    turned = affine.copy()
    turned[:3, 3] += turned[:3, 0] * (voxels.shape[0] - 1)
    turned[:3, 0] *= -1
    whole = (voxels[..., None] + np.array([5.0, 0.0]), affine)
    for volumes in (
        [(voxels, affine)],
        [(voxels.transpose(2, 0, 1), affine[:, [2, 0, 1, 3]])],
        [(voxels[::-1], turned)],
        [(voxels[:, :, :4], affine), (voxels[:, :, 4:], move(affine, 4))],
    ):
        assert judge_real(volumes, clean).is_right()
    two = judge_real([whole], clean)
    assert (two.delivered, two.invented, two.units) == (9, 9, 0)


def move(affine: np.ndarray, slices: float) -> np.ndarray:
    moved = affine.copy()
    moved[:3, 3] += moved[:3, 2] * slices
    return moved


Make = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
WRONG: dict[str, Make] = {
    "a little aside": lambda voxels, affine: (voxels, move(affine, 0.1)),
    "a slice aside": lambda voxels, affine: (voxels, move(affine, 1)),
    "far away": lambda voxels, affine: (voxels, move(affine, 100)),
    "mirrored": lambda voxels, affine: (voxels[::-1], affine),
    "upside down": lambda voxels, affine: (voxels[:, :, ::-1], affine),
    "two swapped": lambda voxels, affine: (voxels[:, :, [0, 1, 2, 3, 5, 4, 6, 7, 8]], affine),
    "one missing": lambda voxels, affine: (voxels[:, :, :-1], affine),
    "one too many": lambda voxels, affine: (np.concatenate([voxels, voxels[:, :, :1]], axis=2), affine),
    "other values": lambda voxels, affine: (voxels + 1, affine),
    "no numbers": lambda voxels, affine: (voxels * np.nan, affine),
    "axes swapped": lambda voxels, affine: (voxels, affine[:, [1, 0, 2, 3]]),
    "no affine": lambda voxels, affine: (voxels, affine * 0),
    "colours": lambda voxels, affine: (voxels.astype("c8"), affine),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_error_shows(name: str, clean: Truth) -> None:
    assert not judge_real([WRONG[name](*assemble(Scan(list(clean.slices))))], clean).is_right()


def test_errors_have_their_size(clean: Truth) -> None:
    voxels, affine = assemble(Scan(list(clean.slices)))
    aside = judge_real([(voxels, move(affine, 0.1))], clean)
    assert aside.millimetres == pytest.approx(0.327, abs=1e-3)
    assert aside.units == 0
    assert judge_real([(voxels - 3, affine)], clean).units == pytest.approx(3)
    few = judge_real([(voxels[:, :, 2:], move(affine, 2))], clean)
    assert (few.delivered, few.wanted, few.invented) == (7, 9, 0)
    assert judge_real([], clean).delivered == 0
