import gzip

import nibabel as nib
import numpy as np
import pytest

from medunet.geometry import Grid, measure_displacement
from medunet.labels import LabelTable, Mask
from medunet.measures import Channel
from medunet.report.embedding import ROOM_BYTES, WHOLE_VOXELS, embed_case, pack_volume

TABLE = LabelTable.from_names(["a", "b"])
TURN = np.array([[0.96, -0.28, 0, 5], [0.28, 0.96, 0, -7], [0, 0, 1, 11], [0, 0, 0, 1.0]])
GRID = Grid((60, 50, 30), TURN @ np.diag([-1.0, 1.5, 3.0, 1.0]))


def unpack(nifti: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(nifti))


def make_mask(box: tuple[slice, ...], grid: Grid = GRID, kind: str = "classes") -> Mask:
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[box] = 2
    return Mask(kind, voxels, grid, TABLE)


def test_the_box_has_the_grid_and_the_values_of_the_scan() -> None:
    values = np.random.default_rng(0).normal(0, 300, GRID.shape).astype(np.int16)
    truth, mask = make_mask(np.s_[20:30, 20:30, 10:15]), make_mask(np.s_[22:32, 20:30, 10:15])
    case = embed_case("one", [Channel("ct", "HU", values[None], GRID)], truth, mask)
    box, whole = case.parts
    read = unpack(box.channels[0].nifti)
    assert (box.name, box.start, box.step, box.text) == ("box", (10, 13, 6), (1, 1, 1), "the grid of the scan")
    assert np.array_equal(read.get_fdata(), values[10:42, 13:37, 6:19])
    assert np.allclose(read.affine @ (0, 0, 0, 1), GRID.affine @ (10, 13, 6, 1), atol=1e-4)
    assert np.array_equal(unpack(box.truth).get_fdata(), truth.voxels[10:42, 13:37, 6:19])
    assert np.array_equal(unpack(box.prediction).get_fdata(), mask.voxels[10:42, 13:37, 6:19])
    assert box.channels[0].window == (-160, 240)
    assert dict(case.labels) == {1: "a", 2: "b"}
    assert truth.voxels[tuple(np.rint(GRID.to_voxel([case.place])[0]).astype(int))] == 2
    coarse = unpack(whole.channels[0].nifti)
    assert np.prod(coarse.shape) <= WHOLE_VOXELS
    assert whole.step == (1, 1, 1)
    assert np.abs(coarse.get_fdata() - values).max() <= 2.001
    assert "values rounded, ct to 4 HU" in whole.text


def test_a_large_scan_becomes_coarser_where_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medunet.report.embedding.WHOLE_VOXELS", 2000)
    monkeypatch.setattr("medunet.report.embedding.ROOM_BYTES", 6000)
    ramp = np.broadcast_to(np.arange(60.0)[:, None, None] * 10, GRID.shape)
    noisy = (ramp + np.random.default_rng(0).normal(0, 5, GRID.shape)).astype(np.float32)
    box, whole = embed_case(
        "one", [Channel("mr", "", noisy[None], GRID)], make_mask(np.s_[5:55, 9:40, 8:20]), make_mask(np.s_[:0])
    ).parts
    assert "means of" in box.text
    assert sum(len(channel.nifti) for channel in box.channels) <= 6000
    read = unpack(whole.channels[0].nifti)
    assert np.prod(read.shape) <= 2000
    # What a coarse voxel shows is the mean of those whose place it takes.
    middle = np.array(read.shape) // 2
    world = read.affine @ [*middle, 1]
    at = GRID.to_voxel([world[:3]])[0]
    assert read.get_fdata()[tuple(middle)] == pytest.approx(at[0] * 10, abs=12)
    held = unpack(whole.truth)
    assert set(np.unique(held.get_fdata())) == {0, 2}


def test_a_channel_keeps_a_grid_of_its_own() -> None:
    pet = Grid(
        (30, 40, 30), np.diag([4.0, 4.0, 4.0, 1.0]) + np.array([[0, 0, 0, -90], [0, 0, 0, -50], [0] * 4, [0] * 4])
    )
    values = np.random.default_rng(0).gamma(2, 2, pet.shape).astype(np.float32)
    images = [Channel("ct", "HU", np.zeros((1, *GRID.shape), np.int16), GRID), Channel("pet", "SUV", values[None], pet)]
    box, _ = embed_case(
        "one", images, make_mask(np.s_[20:30, 20:30, 10:15]), make_mask(np.s_[20:30, 20:30, 10:15])
    ).parts
    read = unpack(box.channels[1].nifti)
    first = np.rint(pet.to_voxel([(read.affine @ (0, 0, 0, 1))[:3]])[0]).astype(int)
    there = tuple(slice(a, a + n) for a, n in zip(first, read.shape, strict=True))
    assert np.array_equal(read.get_fdata(dtype=np.float32), values[there])
    # All of the box that the channel shows lies within what was cut out of it.
    corner = np.array(unpack(box.truth).shape) - 1.0
    ends = pet.to_voxel(GRID.to_world([np.array(box.start), np.array(box.start) + corner])) - first
    inside = np.clip(ends, 0, np.array(pet.shape) - 1 - first)
    assert (inside >= -0.5).all()
    assert (inside <= np.array(read.shape) - 0.5).all()


def test_full_leaves_nothing_out() -> None:
    values = np.random.default_rng(0).normal(0, 300, GRID.shape).astype(np.float32)
    mask = make_mask(np.s_[20:30, 20:30, 10:15])
    (whole,) = embed_case("one", [Channel("mr", "", values[None], GRID)], mask, mask, full=True).parts
    assert np.array_equal(unpack(whole.channels[0].nifti).get_fdata(dtype=np.float32), values)
    assert whole.text == "the grid of the scan"


def test_without_images_or_voxels_the_masks_are_shown_alone() -> None:
    (whole,) = embed_case("one", [], make_mask(np.s_[:0]), make_mask(np.s_[:0])).parts
    assert whole.channels == ()
    assert whole.name == "whole scan"
    assert len(whole.truth) < ROOM_BYTES


def test_without_a_truth_the_box_lies_around_the_prediction() -> None:
    mask = make_mask(np.s_[22:32, 20:30, 10:15])
    case = embed_case("one", [], None, mask)
    box, _ = case.parts
    assert (box.start, box.truth) == ((12, 13, 6), None)
    assert np.array_equal(unpack(box.prediction).get_fdata(), mask.voxels[12:42, 13:37, 6:19])
    assert mask.voxels[tuple(np.rint(GRID.to_voxel([case.place])[0]).astype(int))] == 2


def test_objects_that_touch_are_told_apart() -> None:
    grid = Grid((9, 4, 1), np.eye(4), "px")
    voxels = np.zeros(grid.shape, np.uint16)
    voxels[1:4, 1:3], voxels[4:8, 1:3] = 1, 2
    mask = Mask("instances", voxels, grid, LabelTable.from_names(["nucleus"], objects=True))
    case = embed_case("one", [], mask, mask)
    shown = unpack(case.parts[0].truth).get_fdata()
    assert case.unit == "px"
    assert 0 in shown[1:8, 1, 0]
    assert set(np.unique(shown)) == {0, 1}


def test_a_volume_is_packed_alike_each_time_and_kept_as_it_is() -> None:
    for values in (np.arange(24).reshape(2, 3, 4) - 5, np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4)):
        grid = Grid((2, 3, 4), GRID.affine)
        packed = pack_volume(values, grid)
        assert packed == pack_volume(values, grid)
        read = unpack(packed)
        assert np.array_equal(read.get_fdata(dtype=np.float32), values)
        assert measure_displacement(Grid((2, 3, 4), read.affine), grid) < 1e-4
    nothing = pack_volume(np.array([[[np.nan, 2.5]]], np.float32), Grid((1, 1, 2), np.eye(4)))
    assert unpack(nothing).get_fdata().tolist() == [[[0, 2.5]]]
