import numpy as np
import pytest

from medunet.planning.rules import (
    choose_axes,
    choose_dims,
    choose_topology,
    coarsen_spacing,
    plan_filters,
    plan_patch,
    plan_spacing,
    smallest_diameter,
)


def test_isotropic_spacing_is_the_median() -> None:
    spacing, reason = plan_spacing([(1, 1, 1), (1, 1, 2), (2, 1, 1.5)], [(100, 100, 100)] * 3)
    assert spacing == (1.0, 1.0, 1.5)
    assert "median" in reason


def test_anisotropic_axis_takes_the_tenth_percentile() -> None:
    spacings = [(0.8, 0.8, z) for z in (3.0, 5.0, 5.0, 5.0, 6.0)]
    spacing, reason = plan_spacing(spacings, [(512, 512, 40)] * 5)
    assert spacing[:2] == (0.8, 0.8)
    assert spacing[2] == pytest.approx(np.percentile([3, 5, 5, 5, 6], 10))
    assert "10th percentile" in reason


def test_topology_keeps_four_voxels_and_pools_fine_axes_first() -> None:
    topology = choose_topology((160, 160, 20), (0.8, 0.8, 5.0))
    assert topology.strides[0] == (1, 1, 1)
    assert topology.strides[1] == (2, 2, 1)
    assert topology.kernels[0] == (3, 3, 1)
    pooled = np.prod(topology.strides, axis=0)
    assert all(size % divisor == 0 for size, divisor in zip(topology.patch, pooled, strict=True))
    assert all(size / divisor >= 4 for size, divisor in zip(topology.patch, pooled, strict=True))


def test_topology_of_slices_leaves_the_flat_axis_alone() -> None:
    topology = choose_topology((256, 192, 1), (1, 1, 5))
    assert topology.patch[2] == 1
    assert all(stride[2] == 1 for stride in topology.strides)
    assert all(kernel == (3, 3, 1) for kernel in topology.kernels)


@pytest.mark.parametrize("voxels", [40**3, 96**3])
def test_patch_is_a_cube_in_mm_within_its_voxels(voxels: int) -> None:
    patch = plan_patch((300, 300, 60), (1.0, 1.0, 4.0), voxels, 3)
    assert np.prod(patch) <= voxels * 1.1
    assert patch[0] == patch[1]
    assert patch[0] / patch[2] == pytest.approx(4, rel=0.25)


def test_patch_is_no_longer_than_the_median_case() -> None:
    assert plan_patch((50, 60, 20), (1, 1, 1), 128**3, 3) == (50, 60, 20)


def test_patch_of_slices() -> None:
    assert plan_patch((300, 200, 60), (1, 1, 4), 512**2, 2)[2] == 1


def test_filters_double_up_to_the_cap() -> None:
    assert plan_filters(32, 6, 3) == (32, 64, 128, 256, 320, 320)
    assert plan_filters(32, 6, 2)[-1] == 512


def test_a_coarser_grid_lets_a_patch_see_half_of_the_case() -> None:
    spacing = coarsen_spacing((1.0, 1.0, 3.0), (200.0, 200.0, 180.0), 64**3, coarsest_mm=10.0)
    assert spacing[0] == spacing[1]
    assert spacing[2] == 3.0
    seen = 64**3 * np.prod(spacing) / (200 * 200 * 180)
    assert 0.5 <= seen < 0.55


def test_a_grid_stays_fine_enough_for_small_labels_and_as_fine_as_the_patch_allows() -> None:
    assert coarsen_spacing((1.0, 1.0, 3.0), (200.0, 200.0, 180.0), 64**3, coarsest_mm=1.2) == (1.2, 1.2, 3.0)
    assert coarsen_spacing((1.0, 1.0, 3.0), (200.0, 200.0, 180.0), 64**3, coarsest_mm=0.5) == (1.0, 1.0, 3.0)
    assert coarsen_spacing((1.0, 1.0, 3.0), (60.0, 60.0, 90.0), 64**3, coarsest_mm=10.0) == (1.0, 1.0, 3.0)
    assert coarsen_spacing((1.0, 1.0, 1.0), (200.0, 200.0, 200.0), 40**3, coarsest_mm=3.0) == (3.0, 3.0, 3.0)


def test_a_small_label_is_a_ball_of_the_tenth_percentile() -> None:
    assert smallest_diameter([0.0, *[np.pi / 6 * 8] * 9, 100.0]) == pytest.approx(20.0)
    assert smallest_diameter([0.0]) == 0


def test_axes_of_the_network_follow_the_slices() -> None:
    assert choose_dims([(64, 64, 1), (32, 64, 1)]) == 2
    assert choose_dims([(64, 64, 20), (32, 64, 8)]) == 3
    assert choose_dims([(64, 64, 20), (32, 64, 1)]) is None


def test_slices_lie_across_the_coarsest_axis() -> None:
    sagittal, coronal, axial = (3.3, 0.6, 0.6), (0.6, 3.3, 0.6), (0.6, 0.6, 3.3)
    cube = (64, 64, 64)
    assert choose_axes([sagittal] * 3, [cube] * 3) == "ASR"
    assert choose_axes([coronal] * 3, [cube] * 3) == "RSA"
    assert choose_axes([axial] * 3, [cube] * 3) == "RAS"
    # Where no axis is clearly coarser slices are axial, and where a few cases differ the median counts.
    assert choose_axes([(1.0, 1.0, 1.0), (1.1, 1.0, 1.0)], [cube] * 2) == "RAS"
    assert choose_axes([sagittal, sagittal, axial], [cube] * 3) == "ASR"


def test_single_slices_say_which_way_they_lie() -> None:
    spacing = (1.0, 1.0, 1.0)
    assert choose_axes([spacing], [(64, 64, 1)]) == "RAS"
    assert choose_axes([spacing] * 2, [(1, 64, 64), (1, 64, 1)]) == "ASR"
    assert choose_axes([spacing] * 2, [(64, 1, 64), (64, 40, 64)]) == "RSA"
    assert choose_axes([spacing] * 2, [(1, 64, 64), (64, 64, 1)]) is None
    assert choose_dims([(1, 64, 64), (64, 1, 64)]) == 2
