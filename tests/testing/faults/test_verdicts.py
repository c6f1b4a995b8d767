from dataclasses import replace

import numpy as np
import pytest
from truth import assemble

from medunet.testing.faults import Scan, Verdict, judge, make_scan, places


@pytest.fixture(scope="module")
def scan() -> Scan:
    return make_scan("oblique")


def test_axes_may_have_any_order_and_direction(scan: Scan) -> None:
    voxels, affine = assemble(scan)
    whole = Verdict(0.0, 0.0, 9, 9, 0, mixed=False)
    verdict = judge([(voxels, affine)], scan)
    assert replace(verdict, millimetres=round(verdict.millimetres, 6)) == whole
    assert judge([(voxels.transpose(2, 0, 1), affine[:, [2, 0, 1, 3]])], scan).is_right()
    turned = affine.copy()
    turned[:3, 3] += turned[:3, 0] * (voxels.shape[0] - 1)
    turned[:3, 0] *= -1
    assert judge([(voxels[::-1], turned)], scan).is_right()


def test_each_error_shows(scan: Scan) -> None:
    """A judge that finds nothing wrong proves nothing: shifts, flips, swaps and values must show."""
    voxels, affine = assemble(scan)
    shifted = affine.copy()
    shifted[0, 3] += 0.06
    for wrong in (
        (voxels, shifted),
        (voxels[::-1], affine),
        (voxels[:, :, ::-1], affine),
        (voxels[:, :, [0, 1, 2, 3, 5, 4, 6, 7, 8]], affine),
        (voxels[:, :, :-1], affine),
        (voxels + 1, affine),
        (voxels, affine[:, [1, 0, 2, 3]]),
        (np.where(np.arange(9) == 4, voxels[:, :, [3]], voxels), affine),
    ):
        assert not judge([wrong], scan).is_right()


def test_errors_have_their_size(scan: Scan) -> None:
    voxels, affine = assemble(scan)
    shifted = affine.copy()
    shifted[:3, 3] += (0.0, 0.3, 0.4)
    assert judge([(voxels, shifted)], scan).millimetres == pytest.approx(0.5, abs=1e-6)
    assert judge([(voxels - 3, affine)], scan).units == pytest.approx(3)
    few = judge([(voxels[:, :, 2:], np.roll(affine, 0))], scan)
    assert (few.delivered, few.wanted) == (7, 9)
    noise = np.random.default_rng(0).normal(0, 300, (*voxels.shape[:2], 2))
    more = judge([(np.concatenate([voxels, noise], axis=2), affine)], scan)
    assert (more.delivered, more.invented) == (9, 2)
    assert not more.is_right(millimetres=1e6, units=1e6)
    assert judge([(voxels - 3, affine)], scan).is_right(units=3.1)


def test_nothing_is_not_right(scan: Scan) -> None:
    assert judge([], scan) == Verdict(0.0, 0.0, 0, 9, 0, mixed=False)
    assert not judge([], scan).is_right()
    assert not judge([(np.zeros((4, 4, 4)), np.eye(4))], scan).is_right()


def test_one_of_two_images_is_enough_and_both_in_one_volume_are_mixed() -> None:
    scan = make_scan()
    places.PHASES(scan)
    first, second = Scan(scan.slices[:9]), Scan(scan.slices[9:])
    (one, affine), (other, _) = assemble(first), assemble(second)
    assert judge([(one, affine)], scan).is_right()
    assert judge([(one, affine), (other, affine)], scan).is_right()
    both = judge([(np.stack([one, other], axis=-1), affine)], scan)
    assert both.is_right()
    assert both.delivered == 18
    mixed = one.copy()
    mixed[:, :, 4] = other[:, :, 4]
    assert judge([(mixed, affine)], scan).mixed
    assert not judge([(mixed, affine)], scan).is_right(units=1e6)


def test_copies_and_localizers_need_not_be_delivered() -> None:
    scan = make_scan()
    places.copy_slice(same_uid=False)(scan)
    places.add_localizer((40, 48))(scan)
    verdict = judge([assemble(scan)], scan)
    assert verdict.is_right()
    assert verdict.wanted == 9


def test_a_volume_of_two_axes_is_a_slice() -> None:
    scan = Scan(make_scan().slices[:1])
    voxels, affine = assemble(Scan(make_scan().slices[:2]))
    assert judge([(voxels[:, :, 0], affine)], scan).is_right()
