from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_phases, write_series
from pydicom import Dataset

from medunet.errors import SeriesError
from medunet.geometry import Grid
from medunet.reading import ReadOptions, find_series, measure_grid, read_volume

Tags = dict[str, object]
GRID = make_grid()


def move(grid: Grid, mm: float) -> Grid:
    """The same grid, moved along its normal."""
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, 2] / np.linalg.norm(affine[:3, 2]) * mm
    return Grid(grid.shape, affine)


def stay(**tags: object) -> Callable[[int], Tags]:
    return lambda _: tags


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ([stay(EchoTime=4.6), stay(EchoTime=2.3)], ("EchoTime 4.6", "EchoTime 2.3")),
        ([stay(DiffusionBValue=0.0), stay(DiffusionBValue=800.0)], ("DiffusionBValue 0", "DiffusionBValue 800")),
        (
            [stay(TemporalPositionIdentifier=n, AcquisitionNumber=n) for n in (1, 2)],
            ("TemporalPositionIdentifier 1", "TemporalPositionIdentifier 2"),
        ),
        ([stay(AcquisitionNumber=3), stay(AcquisitionNumber=4)], ("AcquisitionNumber 3", "AcquisitionNumber 4")),
        (
            [stay(ImageType=["ORIGINAL", "PRIMARY", name]) for name in ("M", "P")],
            ("ImageType ORIGINAL/PRIMARY/M", "ImageType ORIGINAL/PRIMARY/P"),
        ),
        (
            [stay(ConvolutionKernel="B30f"), stay(ConvolutionKernel="B70f")],
            ("ConvolutionKernel B30f", "ConvolutionKernel B70f"),
        ),
        (
            [stay(AcquisitionTime="101500"), stay(AcquisitionTime="101530")],
            ("AcquisitionTime 20240102101500", "AcquisitionTime 20240102101530"),
        ),
        # Each slice has its own time: they are told apart by their turn.
        (
            [lambda k: {"TriggerTime": 10 + k}, lambda k: {"TriggerTime": 310 + 2 * k}],
            ("TriggerTime #1", "TriggerTime #2"),
        ),
        (
            [lambda k: {"AcquisitionTime": f"2359{k:02d}"}, lambda k: {"AcquisitionDate": "20240103"}],
            ("AcquisitionTime #1", "AcquisitionTime #2"),
        ),
        (
            [lambda k: {"AcquisitionNumber": 2 * k}, lambda k: {"AcquisitionNumber": 2 * k + 1}],
            ("AcquisitionNumber #1", "AcquisitionNumber #2"),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_images_of_one_place_are_listed_and_one_is_chosen(
    tmp_path: Path, tags: list[Callable[[int], Tags]], names: tuple[str, str]
) -> None:
    images = write_phases(tmp_path, [GRID, GRID], tags)
    with pytest.raises(SeriesError, match="it holds 2 images of the same places") as caught:
        read_volume(tmp_path)
    listed = str(caught.value)
    for name, voxels in zip(names, images, strict=True):
        assert f"'{name}' (6 slices)" in listed
        volume = read_volume(tmp_path, ReadOptions(phase=name))
        assert np.array_equal(volume.voxels[0], voxels)
        assert np.allclose(volume.grid.affine, GRID.affine, atol=1e-4)
        short = read_volume(tmp_path, ReadOptions(phase=name.partition(" ")[2]))
        assert np.array_equal(short.voxels[0], voxels)
    with pytest.raises(SeriesError, match="it holds no phase 'late'; choose one of '"):
        read_volume(tmp_path, ReadOptions(phase="late"))
    (series,) = find_series(tmp_path).series
    assert measure_grid(series, names[0]).shape == GRID.shape


def test_several_tags_together_tell_images_apart(tmp_path: Path) -> None:
    pairs = [(echo, kind) for echo in (2.3, 4.6) for kind in ("M", "P")]
    images = write_phases(
        tmp_path, [GRID] * 4, [stay(EchoTime=echo, ImageType=["DERIVED", "X", kind]) for echo, kind in pairs]
    )
    with pytest.raises(SeriesError, match=r"it holds 4 images.*'EchoTime 2\.3, ImageType DERIVED/X/M' \(6 slices\)"):
        read_volume(tmp_path)
    found = read_volume(tmp_path, ReadOptions(phase="4.6, DERIVED/X/M"))
    assert np.array_equal(found.voxels[0], images[2])


def test_directions_count_beside_the_b_value(tmp_path: Path) -> None:
    tags = [
        stay(DiffusionBValue=b_value, DiffusionGradientOrientation=axis)
        for axis in ([1.0, 0, 0], [0, 1.0, 0])
        for b_value in (400.0, 800.0)
    ]
    images = write_phases(tmp_path, [GRID] * 4, tags)
    found = read_volume(tmp_path, ReadOptions(phase="DiffusionBValue 800, DiffusionGradientOrientation 0/1/0"))
    assert np.array_equal(found.voxels[0], images[3])


def test_acquisitions_that_lie_between_each_other_are_told_apart(tmp_path: Path) -> None:
    images = write_phases(tmp_path, [GRID, move(GRID, 1.0)], [stay(AcquisitionNumber=1), stay(AcquisitionNumber=2)])
    with pytest.raises(SeriesError, match=r"'AcquisitionNumber 1' \(6 slices\), 'AcquisitionNumber 2'"):
        read_volume(tmp_path)
    volume = read_volume(tmp_path, ReadOptions(phase="2"))
    assert np.array_equal(volume.voxels[0], images[1])
    assert np.allclose(volume.grid.affine, move(GRID, 1.0).affine, atol=1e-4)


def test_echoes_that_together_make_a_regular_stack_are_no_volume(tmp_path: Path) -> None:
    write_phases(tmp_path, [GRID, move(GRID, GRID.spacing[2] / 2)], [stay(EchoTime=2.3), stay(EchoTime=4.6)])
    with pytest.raises(SeriesError, match="it holds 2 images"):
        read_volume(tmp_path)


def test_what_differs_from_slice_to_slice_in_one_image_makes_no_phases(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, GRID)

    def edit(dataset: Dataset, k: int) -> None:
        dataset.AcquisitionNumber, dataset.TriggerTime, dataset.EchoTime = 1 + k // 3, 5.0 * k, 4.6 + 0.001 * k
        dataset.AcquisitionTime = f"10150{k}"

    change(tmp_path, edit)
    assert np.array_equal(read_volume(tmp_path).voxels[0], voxels)


@pytest.mark.parametrize(("name", "value"), [("EchoTime", 80.0), ("DiffusionBValue", 800.0), ("EchoTime", None)])
def test_a_slice_of_another_echo_is_no_part_of_an_image(tmp_path: Path, name: str, value: object) -> None:
    write_series(tmp_path, GRID)
    change(tmp_path, lambda dataset, k: setattr(dataset, name, value if k == 5 else 10.0))
    with pytest.raises(SeriesError, match=rf"its {name} is (80|800|missing), not 10 as in"):
        read_volume(tmp_path)


def test_missing_slices_between_two_acquisitions_are_named_as_such(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid(shape=(8, 7, 9)))
    change(tmp_path, lambda dataset, k: setattr(dataset, "AcquisitionNumber", 1 + k // 5))
    sorted(tmp_path.iterdir())[4].unlink()
    with pytest.raises(SeriesError, match="after it slices are missing"):
        read_volume(tmp_path)


def test_two_images_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    write_phases(tmp_path, [GRID, GRID], [stay(), stay()])
    with pytest.raises(SeriesError, match="but they are different images"):
        read_volume(tmp_path)


def test_a_phase_that_lacks_a_slice_hides_in_no_other(tmp_path: Path) -> None:
    write_phases(tmp_path, [GRID, GRID], [stay(AcquisitionNumber=1), stay(AcquisitionNumber=2)])
    sorted(tmp_path.iterdir())[4].unlink()
    with pytest.raises(SeriesError, match="it holds 1 image of the same places, and 5 slices that make none"):
        read_volume(tmp_path)
    with pytest.raises(SeriesError, match="it holds no phase 'AcquisitionNumber 1'"):
        read_volume(tmp_path, ReadOptions(phase="AcquisitionNumber 1"))
    assert read_volume(tmp_path, ReadOptions(phase="AcquisitionNumber 2")).grid.shape == GRID.shape


def put_private(group: int, creator: str, values: dict[int, tuple[str, object]]) -> Callable[[int], Tags]:
    """Private elements of all slices of an image: by element, their type and value."""

    def edit(_: int) -> Tags:
        dataset = Dataset()
        block = dataset.private_block(group, creator, create=True)
        for element, (kind, value) in values.items():
            block.add_new(element, kind, value)
        return dataset  # type: ignore[return-value]

    return edit


def put_directions(group: int, creator: str, first: int, kind: str, direction: tuple[float, ...]) -> object:
    return put_private(group, creator, {first + n: (kind, value) for n, value in enumerate(direction)})


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        (
            [put_private(0x0043, "GEMS_PARM_01", {0x39: ("IS", [b, 8, 0, 0])}) for b in (0, 1_000_000_800)],
            ("BValue 0", "BValue 800"),
        ),
        (
            [put_directions(0x0019, "GEMS_ACQU_01", 0xBB, "DS", g) for g in ((1, 0, 0), (0, 0.6, 0.8))],
            ("DiffusionGradientOrientation 0/0.6/0.8", "DiffusionGradientOrientation 1/0/0"),
        ),
        (
            [put_directions(0x2005, "Philips MR Imaging DD 001", 0xB0, "FL", g) for g in ((1, 0, 0), (0, 0.5, 1))],
            ("DiffusionGradientOrientation 0/0.5/1", "DiffusionGradientOrientation 1/0/0"),
        ),
        (
            [put_private(0x2005, "Philips MR Imaging DD 005", {0x29: ("CS", word)}) for word in ("LABEL", "CONTROL")],
            ("ASLContext CONTROL", "ASLContext LABEL"),
        ),
        ([lambda k: {"InstanceNumber": 1 + k}, lambda k: {"InstanceNumber": 7 + k}], ("InstanceNumber #1", "#2")),
        (
            [lambda k: {"InstanceNumber": 1 + 2 * k}, lambda k: {"InstanceNumber": 2 + 2 * k}],
            ("InstanceNumber #1", "#2"),
        ),
    ],
)
def test_images_that_only_vendors_tags_or_numbers_tell_apart(
    tmp_path: Path, tags: list[Callable[[int], Tags]], names: tuple[str, str]
) -> None:
    images = write_phases(tmp_path, [GRID, GRID], tags)
    with pytest.raises(SeriesError, match=f"it holds 2 images .*{names[0]}' .*{names[1]}'"):
        read_volume(tmp_path)
    found = [read_volume(tmp_path, ReadOptions(phase=name)).voxels[0] for name in (names[0],)]
    assert any(np.array_equal(found[0], image) for image in images)


def test_numbers_that_go_all_over_tell_nothing_apart(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).permutation(12)
    tags = [lambda k: {"InstanceNumber": int(numbers[k])}, lambda k: {"InstanceNumber": int(numbers[6 + k])}]
    write_phases(tmp_path, [GRID, GRID], tags)
    with pytest.raises(SeriesError, match="but they are different images"):
        read_volume(tmp_path)


def test_a_group_that_nothing_tells_apart_does_not_block_the_others(tmp_path: Path) -> None:
    """Two images of b = 0 beside one of b = 1000, in the manner of a diffusion tensor."""
    numbers = np.random.default_rng(0).permutation(12)
    tags = [
        lambda k: {"DiffusionBValue": 0.0, "InstanceNumber": int(numbers[k])},
        lambda k: {"DiffusionBValue": 0.0, "InstanceNumber": int(numbers[6 + k])},
        lambda k: {"DiffusionBValue": 1000.0, "InstanceNumber": 20 + k},
    ]
    images = write_phases(tmp_path, [GRID, GRID, GRID], tags)
    with pytest.raises(SeriesError, match="it holds 1 image of the same places, and 12 slices that make none"):
        read_volume(tmp_path)
    assert np.array_equal(read_volume(tmp_path, ReadOptions(phase="DiffusionBValue 1000")).voxels[0], images[2])


def test_the_only_image_may_be_asked_for_by_what_it_is(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, GRID)
    change(tmp_path, lambda dataset, _: setattr(dataset, "EchoTime", 4.6))
    assert np.array_equal(read_volume(tmp_path, ReadOptions(phase="EchoTime 4.6")).voxels[0], voxels)
    with pytest.raises(SeriesError, match=r"it holds one image, of which nothing says 'EchoTime 2\.3'"):
        read_volume(tmp_path, ReadOptions(phase="EchoTime 2.3"))


def test_images_in_two_directions_are_two(tmp_path: Path) -> None:
    images = write_phases(tmp_path, [GRID, make_grid("sagittal")], [stay(ImageType=["A"]), stay(ImageType=["B"])])
    assert np.array_equal(read_volume(tmp_path, ReadOptions(phase="B")).voxels[0], images[1])
    with pytest.raises(SeriesError, match="it holds 2 images"):
        read_volume(tmp_path)
