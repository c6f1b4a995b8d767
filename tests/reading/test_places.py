"""Wherever a voxel lies, that is where it is read: slices in any place and order, NIfTI in any orientation."""

import copy
from itertools import permutations, product
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff

from medunet.geometry import Grid, measure_displacement
from medunet.labels import LabelTable, Mask
from medunet.reading import find_series, measure_grid, read_mask, read_segmentation, read_volume
from medunet.testing.faults import judge
from medunet.testing.faults.scans import Scan, make_scan, write_numbers
from medunet.writing import Algorithm, write_nifti, write_segmentation

CLEAN = make_scan("axial")
LENGTHS = st.floats(0.2, 6.0)
LEANS = st.floats(-2.0, 2.0)
PLACES = st.tuples(*[st.floats(-900, 900)] * 3)


@st.composite
def rotations(draw: st.DrawFn) -> np.ndarray:
    """Any rotation, by a unit quaternion."""
    w, x, y, z = draw(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1))
    w, x, y, z = np.array([w, x, y, z]) / np.linalg.norm([w, x, y, z])
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@st.composite
def scans(draw: st.DrawFn) -> Scan:
    """The clean scan, anywhere: turned, stretched, sheared, its slices up or down, its files in any order."""
    turned, origin = draw(rotations()), np.array(draw(PLACES))
    spacing = write_numbers(draw(st.tuples(LENGTHS, LENGTHS)))
    step = turned @ draw(st.tuples(LEANS, LEANS, st.one_of(st.floats(0.5, 8), st.floats(-8, -0.5))))
    scan = copy.deepcopy(CLEAN)
    for k, (item, number) in enumerate(zip(scan.slices, draw(st.permutations(range(9))), strict=True)):
        item.turn(turned[:, :2].T)
        item.move(origin + step * k - item.position)
        item.dataset.PixelSpacing, item.spacing = spacing, (float(spacing[0]), float(spacing[1]))
        item.name, item.dataset.InstanceNumber = f"{number}.dcm", number
    return scan


@settings(max_examples=40, deadline=None)
@given(scan=scans())
def test_each_voxel_lies_where_its_slice_says(scan: Scan) -> None:
    with TemporaryDirectory() as folder:
        scan.write(Path(folder))
        volume = read_volume(folder)
    verdict = judge([(volume.voxels[0], volume.grid.affine)], scan)
    assert verdict.is_right(millimetres=1e-6), verdict


@settings(max_examples=6, deadline=None)
@given(scan=scans())
def test_segments_that_were_written_are_read_as_they_were(scan: Scan) -> None:
    """Their frames say where they lie; the writer raises if what it reads back differs."""
    with TemporaryDirectory() as folder:
        scan.write(Path(folder))
        (series,) = find_series(folder).series
        mask = draw_mask(measure_grid(series))
        write_segmentation(
            mask,
            Path(folder) / "a.seg",
            [header.describe() for header in series.headers],
            Algorithm("made up", "1", "f" * 64),
            lambda part, own: read_segmentation(part, own.grid, own.table),
        )


def draw_mask(grid: Grid) -> Mask:
    voxels = np.random.default_rng(4).integers(0, 3, grid.shape).astype(np.uint8)
    return Mask("classes", voxels, grid, LabelTable.from_names(["one", "two"]))


@settings(max_examples=40, deadline=None)
@given(turned=rotations(), spacing=st.tuples(LENGTHS, LENGTHS, LENGTHS), lean=LEANS, origin=PLACES)
def test_nifti_that_was_written_is_read_as_it_was(
    turned: np.ndarray, spacing: tuple[float, float, float], lean: float, origin: tuple[float, float, float]
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = turned * spacing @ np.array([[1, 0, lean / 8], [0, 1, 0], [0, 0, 1.0]])
    affine[:3, 3] = origin
    mask = draw_mask(Grid((5, 4, 3), affine))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii.gz"
        write_nifti(mask, path, lambda part, own: read_mask(part, own.grid, own.table))
        again = read_mask(path, mask.grid, mask.table)
        volume = read_volume(path)
    assert np.array_equal(again.voxels, mask.voxels)
    assert np.array_equal(volume.voxels[0], mask.voxels)
    # An sform holds 32-bit floats.
    assert measure_displacement(volume.grid, mask.grid) < 1e-3


@pytest.mark.parametrize("form", ["sform", "qform", "both"])
def test_all_48_orientations_of_nifti(tmp_path: Path, form: str) -> None:
    voxels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    turned = np.linalg.qr(np.array([[1, 0.2, 0.1], [-0.1, 1, 0.3], [0.2, -0.2, 1]]))[0]
    affine = nib.affines.from_matvec(turned * (0.7, 1.1, 3.0), (5, -6, 7))
    world = Grid(voxels.shape, affine).to_world(np.argwhere(voxels >= 0))
    for axes, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
        orientation = np.column_stack([axes, flips])
        place = affine @ inv_ornt_aff(orientation, voxels.shape)
        image = nib.Nifti1Image(apply_orientation(voxels, orientation), place)
        image.set_sform(place, int(form != "qform"))
        image.set_qform(place, int(form != "sform"))
        nib.save(image, tmp_path / "a.nii")
        volume = read_volume(tmp_path / "a.nii")
        index = volume.grid.to_voxel(world)
        assert np.abs(index - np.rint(index)).max() < 1e-4
        assert np.array_equal(volume.voxels[0][tuple(np.rint(index).astype(int).T)], voxels.ravel())
