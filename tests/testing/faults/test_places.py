import numpy as np
import pytest
from pydicom import Dataset

from medunet.testing.faults import Edit, Scan, combine, make_scan, places
from medunet.testing.faults.scans import SPACING

FOLLOWED = {
    "other orientation": places.start_from("coronal"),
    "other spacing": places.start_from("oblique", (0.4, 0.9, 2.0)),
    "jitter": places.jitter(0.12),
    "wider steps": places.widen_steps,
    "shear": places.shear(0.2, 0),
    "tilt": places.tilt(15),
    "turned": places.turn_slices(10, range(5)),
    "prone": places.turn_over,
    "mirrored": places.mirror_slice,
    "other spacing of one": places.scale_spacing(1.1),
    "cropped": places.crop_slice,
    "swapped": places.swap_positions,
    "reversed": places.reverse_order,
    "localizer": places.add_localizer((40, 48)),
    "second image": places.add_group("next", 1.0),
}
"""Edits whose headers tell the truth."""
LIES = {
    "leaning": places.skew_cosines(lambda cosines: np.array([cosines[0], cosines[1] + 0.25 * cosines[0]])),
    "one place": places.stack_at_one_place,
    "spoilt position": places.edit_position([5], lambda words: [words[0], "70", words[2]]),
}
"""Edits whose headers lie."""


def list_places(dataset: Dataset) -> np.ndarray:
    """Position, directions and spacing as a header says them, LPS mm."""
    names = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    return np.concatenate([np.array(dataset[name].value, float) for name in names])


def list_truth(scan: Scan) -> list[np.ndarray]:
    return [np.concatenate([item.position, item.directions.ravel(), item.spacing]) for item in scan.slices]


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_truth_follows_a_header_that_tells_it(name: str) -> None:
    scan, clean = make_scan("sagittal"), make_scan("sagittal")
    FOLLOWED[name](scan)
    for item, truth in zip(scan.slices, list_truth(scan), strict=True):
        assert np.abs(list_places(item.dataset) - truth).max() < 1e-9
        assert item.values.shape == (item.dataset.Rows, item.dataset.Columns)
        assert np.array_equal(item.stored() - 1024, item.values)
    described = [(item.name, str(item.dataset)) for item in scan.slices]
    assert described != [(item.name, str(item.dataset)) for item in clean.slices]


@pytest.mark.parametrize("name", LIES)
def test_the_truth_stays_where_a_header_lies(name: str) -> None:
    scan, clean = make_scan("oblique"), make_scan("oblique")
    LIES[name](scan)
    assert np.array_equal(list_truth(scan), list_truth(clean))
    off = [
        np.abs(list_places(item.dataset) - truth).max()
        for item, truth in zip(scan.slices, list_truth(scan), strict=True)
    ]
    assert max(off) > 0.2


def measure_steps(scan: Scan) -> np.ndarray:
    """Steps from slice to slice along the normal, mm."""
    return np.diff([item.position @ scan.slices[0].normal for item in scan.slices])


def edit(change: Edit, orientation: str = "axial") -> Scan:
    scan = make_scan(orientation)
    change(scan)
    return scan


def test_distances_are_those_that_were_asked_for() -> None:
    clean = make_scan()
    moved = np.abs(np.subtract(list_truth(edit(places.jitter(0.3))), list_truth(clean)))
    assert moved.max() == pytest.approx(0.3)
    assert moved[5].max() == pytest.approx(0.3)
    assert measure_steps(edit(places.widen_steps)) == pytest.approx([SPACING[2]] * 4 + [5.0] * 4)
    leaning = edit(places.tilt(15))
    across = leaning.slices[8].position - clean.slices[8].position
    assert across @ clean.slices[0].directions[1] == pytest.approx(8 * SPACING[2] * np.tan(np.radians(15)), abs=1e-6)
    assert measure_steps(leaning) == pytest.approx([SPACING[2]] * 8)
    along = edit(places.shear(0.2, 0)).slices[8].position - clean.slices[8].position
    assert along @ clean.slices[0].directions[0] == pytest.approx(1.6, abs=1e-6)
    turned = edit(places.turn_slices(0.3, [5])).slices
    cosine = turned[5].directions[0] @ turned[4].directions[0]
    assert np.degrees(np.arccos(cosine)) == pytest.approx(0.3, abs=1e-3)


def test_slices_are_left_out() -> None:
    names = [item.name for item in make_scan().slices]
    assert [item.name for item in edit(places.drop_slices(4, 8)).slices] == [*names[:4], *names[5:8]]
    assert [item.name for item in edit(places.keep_one).slices] == names[:1]


def test_neighbours_change_places_and_keep_their_numbers() -> None:
    clean, swapped = make_scan().slices, edit(places.swap_positions).slices
    assert np.array_equal(swapped[5].position, clean[4].position)
    assert np.array_equal(swapped[4].position, clean[5].position)
    assert [item.dataset.InstanceNumber for item in swapped] == list(range(1, 10))


def test_a_reversed_series_runs_against_its_names_and_numbers() -> None:
    turned = sorted(edit(places.reverse_order).slices, key=lambda item: item.name)
    assert measure_steps(Scan(turned)) == pytest.approx([-SPACING[2]] * 8)
    assert [item.dataset.InstanceNumber for item in turned] == list(range(1, 10))


@pytest.mark.parametrize("same_uid", [False, True])
@pytest.mark.parametrize("same_pixels", [False, True])
def test_a_copy_need_not_be_delivered_and_another_image_makes_a_group(same_uid: bool, same_pixels: bool) -> None:
    scan = edit(places.copy_slice(same_uid, same_pixels))
    source, fresh = scan.slices[5], scan.slices[-1]
    assert np.array_equal(fresh.corners(), source.corners())
    assert (fresh.dataset.SOPInstanceUID == source.dataset.SOPInstanceUID) == same_uid
    assert np.array_equal(fresh.values, source.values) == same_pixels
    assert (fresh.extra, fresh.group) == ((True, "main") if same_pixels else (False, "other"))


def test_identities_are_shared_or_split() -> None:
    shared = edit(places.share_uid).slices
    assert shared[5].dataset.SOPInstanceUID == shared[0].dataset.SOPInstanceUID
    assert not np.array_equal(shared[5].values, shared[0].values)
    split = edit(places.split_uid).slices
    assert len({item.dataset.SeriesInstanceUID for item in split}) == 2
    assert [item.group for item in split] == ["main"] * 8 + ["strayed"]


def test_a_second_image_has_tags_numbers_and_content_of_its_own() -> None:
    scan = edit(places.add_group("echo", 0.0, interleave=True, EchoTime=("10", "80")))
    first, second = scan.slices[:9], scan.slices[9:]
    assert {float(item.dataset.EchoTime) for item in first} == {10}
    assert {float(item.dataset.EchoTime) for item in second} == {80}
    assert [item.dataset.InstanceNumber for item in first] == list(range(1, 19, 2))
    assert [item.dataset.InstanceNumber for item in second] == list(range(2, 19, 2))
    assert {item.group for item in second} == {"echo"}
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.corners(), other.corners())
        assert abs(np.corrcoef(one.values.ravel(), other.values.ravel())[0, 1]) < 0.7


def test_phases_echoes_and_pet() -> None:
    phases = edit(combine(places.PHASES, places.add_third)).slices
    found = [(item.group, item.dataset.TemporalPositionIdentifier, item.dataset.TriggerTime) for item in phases]
    assert found == [("main", 1, 0)] * 9 + [("second", 2, 300)] * 9 + [("third", 3, 600)] * 9
    magnetic = edit(places.become_mr).slices
    assert {item.dataset.SOPClassUID.name for item in magnetic} == {"MR Image Storage"}
    assert not any("RescaleSlope" in item.dataset for item in magnetic)
    assert all(np.array_equal(item.stored(), item.values) for item in magnetic)
    mixed = edit(places.add_group("pet", **places.PET)).slices
    assert [item.dataset.Modality for item in mixed] == ["CT"] * 9 + ["PT"] * 9
    assert all(item.dataset.SOPClassUID == item.dataset.file_meta.MediaStorageSOPClassUID for item in mixed)


@pytest.mark.parametrize("size", [(40, 48), (36, 32)])
def test_a_localizer_lies_across_the_slices(size: tuple[int, int]) -> None:
    scan = edit(places.add_localizer(size), "oblique")
    scout = scan.slices[-1]
    assert scout.values.shape == size
    assert scout.extra
    assert abs(scout.normal @ scan.slices[0].normal) < 1e-6
    assert "LOCALIZER" in scout.dataset.ImageType
