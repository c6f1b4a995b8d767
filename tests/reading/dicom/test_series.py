import re
import shutil
from io import BytesIO
from pathlib import Path

import pytest
from dicoms import change, make_grid, write_mask, write_series
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    RawDataStorage,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
    generate_uid,
)

from medunet.errors import MissingInputError, SeriesError
from medunet.findings import Note, listening
from medunet.reading import ReadOptions, find_again, find_series, measure_grid, read_volume, tabulate_series
from medunet.reading.dicom.series import _list_turns, list_files


def test_series_contours_and_the_rest_are_told_apart(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "CT ü +1", grid)
    mask = (voxels > 0).astype("uint8")
    write_mask(tmp_path / "contours.dcm", mask, grid, voxels)
    (tmp_path / "README.txt").write_text("hello")

    def scout(dataset: Dataset, _: int) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    shutil.copytree(tmp_path / "CT ü +1", tmp_path / "scout")
    change(tmp_path / "scout", scout)
    found = find_series(tmp_path)
    (series,) = found.series
    assert (series.modality, len(series.files), Path(series.folder).name) == ("CT", 6, "CT ü +1")
    assert measure_grid(series).shape == grid.shape
    assert found.labels[0].names == ("lesion",)
    assert found.labels[0].series_uids == (series.uid,)
    reasons = {reason for _, reason in found.others}
    assert reasons == {"no DICOM file", "a localizer"}


def test_copies_are_dropped_with_a_note(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    first = sorted(tmp_path.glob("*.dcm"))[0]
    shutil.copy(first, tmp_path / "copy.dcm")
    volume = read_volume(tmp_path)
    assert volume.grid.shape[2] == 6
    assert "is a copy of" in volume.source.notes[0].text


@pytest.mark.parametrize("name", ["PatientID", "StudyInstanceUID"])
def test_a_slice_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, name, "1.2.3"), only=[3])
    with pytest.raises(SeriesError, match=f"its {name} differs"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PixelSpacing", None, "PixelSpacing is missing"),
        ("PixelSpacing", [0, 1], "Pixel Spacing is 0, 1"),
        ("ImagePositionPatient", None, "ImagePositionPatient is missing"),
        ("ImageOrientationPatient", [1.1, 0, 0, 0, 1, 0], "no two perpendicular unit vectors"),
        ("PixelSpacing", [1.2, 1.2], "its Pixel Spacing"),
    ],
)
def test_geometry_is_never_guessed(tmp_path: Path, name: str, value: object, words: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, name, value), only=[1])
    with pytest.raises(SeriesError, match=words):
        read_volume(tmp_path)


def test_a_file_called_dcm_that_is_none_is_set_aside_with_a_warning(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())
    (tmp_path / "x.dcm").write_text("nonsense")
    with listening() as heard:
        volume = read_volume(tmp_path)
    (warning,) = heard
    assert re.search(r"x\.dcm was set aside: it is called \.dcm .* its series can't be told", warning.found)
    assert [note.text for note in volume.source.notes] == [warning.found]
    assert (volume.voxels[0] == voxels).all()
    (tmp_path / "0003.dcm").unlink()
    with pytest.raises(SeriesError, match=r"x\.dcm: it is called \.dcm.*; without it, .* slices are missing"):
        read_volume(tmp_path)
    (tmp_path / "alone").mkdir()
    (tmp_path / "x.dcm").rename(tmp_path / "alone" / "x.dcm")
    with pytest.raises(SeriesError, match=r"x\.dcm: it is called \.dcm but is no DICOM file; restore"):
        read_volume(tmp_path / "alone")
    with pytest.raises(MissingInputError):
        find_series(tmp_path / "nowhere")


def test_files_are_ordered_along_the_normal(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    names = sorted(path.name for path in tmp_path.glob("*.dcm"))
    for number, name in enumerate(names):
        (tmp_path / name).rename(tmp_path / f"{(number * 5) % 6}-{name}")
    (series,) = find_series(tmp_path).series
    assert [Path(path).name[2:] for path in series.files] == names


def test_two_images_of_one_place_are_copies_only_if_their_pixels_agree(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())
    first = sorted(tmp_path.glob("*.dcm"))[2]
    dataset = dcmread(first)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.save_as(tmp_path / "copy.dcm")
    volume = read_volume(tmp_path)
    assert (volume.voxels[0] == voxels).all()
    assert "is a copy of" in volume.source.notes[0].text
    dataset.RescaleIntercept = -1000
    dataset.save_as(tmp_path / "copy.dcm")
    with pytest.raises(SeriesError, match="different images"):
        read_volume(tmp_path)


def test_images_that_share_a_uid_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    uid = dcmread(sorted(tmp_path.glob("*.dcm"))[0]).SOPInstanceUID
    change(tmp_path, lambda dataset, _: setattr(dataset, "SOPInstanceUID", uid), only=[4])
    with pytest.raises(SeriesError, match="shares its SOPInstanceUID"):
        read_volume(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("FrameOfReferenceUID", "1.2.3"), ("Modality", "MR")])
def test_a_series_that_is_mixed_is_found_but_not_read(tmp_path: Path, name: str, value: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, name, value), only=[3])
    (series,) = find_series(tmp_path).series
    assert len(series.files) == 6
    with pytest.raises(SeriesError, match=f"its {name} differs"):
        measure_grid(series)


def test_one_odd_series_does_not_hide_the_others(tmp_path: Path) -> None:
    write_series(tmp_path / "good", make_grid())
    write_series(tmp_path / "odd", make_grid("axial"))
    change(tmp_path / "odd", lambda dataset, _: setattr(dataset, "NumberOfFrames", 9), only=[0])
    write_series(tmp_path / "shots", make_grid("sagittal"))

    def shoot(dataset: Dataset, _: int) -> None:
        dataset.SOPClassUID = SecondaryCaptureImageStorage
        del dataset.ImagePositionPatient, dataset.ImageOrientationPatient, dataset.PixelSpacing

    change(tmp_path / "shots", shoot)
    found = find_series(tmp_path)
    good, odd = found.series
    assert not good.problems
    assert "multi-frame" in str(odd.problems[0])
    assert {reason for _, reason in found.others} == {"a picture without a place in a patient"}
    assert read_volume(tmp_path, ReadOptions(series=good.uid)).grid.shape == make_grid().shape
    with pytest.raises(MissingInputError, match=r"holds no image \(.*a picture without a place"):
        read_volume(tmp_path / "shots")


def test_a_slice_whose_header_broke_off_is_not_lost(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    last = sorted(tmp_path.glob("*.dcm"))[-1]
    dataset = dcmread(last)
    for element in [item for item in dataset if item.tag > 0x00200010]:
        del dataset[element.tag]
    dataset.save_as(last)
    with pytest.raises(SeriesError, match="0 Columns and 0 Rows"):
        read_volume(tmp_path)


def break_sequence(dataset: Dataset) -> bytes:
    """A dose report whose content breaks off within its first item."""
    dataset.Modality, dataset.SOPClassUID = "SR", XRayRadiationDoseSRStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    for name in ("PixelData", "Rows", "Columns"):
        del dataset[name]
    item = Dataset()
    item.ValueType, item.TextValue = "TEXT", "much"
    dataset.ContentSequence = [item]
    with BytesIO() as file:
        dataset.save_as(file)
        content = file.getvalue()
    at = content.index(b"TEXT")
    return content[: at - 2] + b"\xff\x7f" + content[at:]


@pytest.mark.parametrize("own", [True, False])
def test_a_broken_report_blocks_no_image(tmp_path: Path, own: bool) -> None:
    voxels = write_series(tmp_path / "a", make_grid())
    write_series(tmp_path / "b", make_grid("axial"))
    dataset = dcmread(tmp_path / "a" / "0001.dcm")
    if own:
        dataset.SeriesInstanceUID = generate_uid()
    (tmp_path / "a" / "report.dcm").write_bytes(break_sequence(dataset))
    found = find_series(tmp_path)
    (damage,) = found.damaged
    assert re.search(r"report\.dcm: its header can't be read \(what", str(damage))
    assert (read_volume(tmp_path, ReadOptions(series=found.series[0].uid)).voxels[0] == voxels).all()
    assert read_volume(tmp_path / "a").source.notes == ()


def test_a_damaged_slice_blocks_its_own_series_only(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    voxels = write_series(tmp_path / "b", make_grid("axial"))
    last = tmp_path / "a" / "0006.dcm"
    last.write_bytes(last.read_bytes()[:-20])
    first, second = find_series(tmp_path).series
    assert (read_volume(tmp_path, ReadOptions(series=second.uid)).voxels[0] == voxels).all()
    with pytest.raises(SeriesError, match=r"0006\.dcm: its header can't be read"):
        read_volume(tmp_path, ReadOptions(series=first.uid))


def make_raw(dataset: Dataset) -> None:
    dataset.SOPClassUID = RawDataStorage
    for name in ("PixelData", "Rows", "Columns", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del dataset[name]


def make_private(dataset: Dataset) -> None:
    dataset.SOPClassUID = UID("1.3.12.2.1107.5.9.1")
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient, dataset.PixelSpacing


def capture(dataset: Dataset) -> None:
    dataset.SOPClassUID = SecondaryCaptureImageStorage


def colour(dataset: Dataset) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"


def lose_place(dataset: Dataset) -> None:
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (make_raw, "an object of the class Raw Data Storage: {uid}"),
        (make_private, r"an object of the private class 1\.3\.12\.2\.1107\.5\.9\.1: {uid}"),
        (capture, "an object of the class Secondary Capture Image Storage: {uid}"),
        (colour, "a picture in colour: {uid}"),
        (lose_place, r"odd\.dcm was set aside: it is {uid} of the series and has neither position nor orientation"),
    ],
)
def test_objects_of_a_series_that_are_no_slices_are_set_aside(tmp_path: Path, edit: object, words: str) -> None:
    voxels = write_series(tmp_path, make_grid())
    dataset = dcmread(tmp_path / "0003.dcm")
    dataset.SOPInstanceUID = uid = generate_uid()
    edit(dataset)  # type: ignore[operator]
    dataset.save_as(tmp_path / "odd.dcm")
    volume = read_volume(tmp_path)
    assert (volume.voxels[0] == voxels).all()
    (note,) = volume.source.notes
    assert note.code == "set-aside"
    assert re.search(words.replace("{uid}", re.escape(uid)), note.text)


def test_a_slice_that_lost_its_place_is_the_reason_why_there_is_a_gap(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: lose_place(dataset), only=[2])
    with pytest.raises(SeriesError, match=r"0003\.dcm: .* neither position nor orientation; without it, .* missing"):
        read_volume(tmp_path)


def give_frames(folder: Path, frames: list[str]) -> None:
    change(folder, lambda dataset, k: setattr(dataset, "FrameOfReferenceUID", frames[k % len(frames)]))


def test_a_frame_of_reference_for_each_slice_is_none(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())
    give_frames(tmp_path, [f"1.2.{k}" for k in range(6)])
    volume = read_volume(tmp_path)
    assert (volume.voxels[0] == voxels).all()
    assert volume.source.frame_of_reference_uid == "1.2.0"
    (note,) = volume.source.notes
    assert note.code == "frames-differ"
    (tmp_path / "0003.dcm").unlink()
    with pytest.raises(SeriesError, match="slices are missing"):
        read_volume(tmp_path)


@pytest.mark.parametrize("groups", [2, 3])
def test_groups_of_frames_of_reference_stay_apart(tmp_path: Path, groups: int) -> None:
    write_series(tmp_path, make_grid())
    give_frames(tmp_path, [f"1.2.{k}" for k in range(groups)])
    with pytest.raises(SeriesError, match="FrameOfReferenceUID differs"):
        read_volume(tmp_path)
    for path in sorted(tmp_path.iterdir())[groups:]:
        path.unlink()
    with pytest.raises(SeriesError, match="FrameOfReferenceUID differs"):
        read_volume(tmp_path)


def test_a_sheared_stack_is_exact_and_noted(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid("axial"))

    def lean(dataset: Dataset, number: int) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, float(y) + 0.8 * number, z]

    change(tmp_path, lean)
    volume = read_volume(tmp_path)
    assert (volume.voxels[0] == voxels).all()
    last = dcmread(sorted(tmp_path.glob("*.dcm"))[-1])
    own = [-float(last.ImagePositionPatient[0]), -float(last.ImagePositionPatient[1]), last.ImagePositionPatient[2]]
    assert volume.grid.to_world([[0, 0, 5]])[0] == pytest.approx(own, abs=1e-6)
    assert "sheared by 14.93 degrees" in volume.source.notes[0].text


def test_jitter_is_noted(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid("axial"))

    def shift(dataset: Dataset, _: int) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [float(x) + 0.12, y, z]

    change(tmp_path, shift, only=[2])
    assert "off the regular grid" in read_volume(tmp_path).source.notes[0].text


@pytest.mark.data
def test_real_studies(sts: Path) -> None:
    found = find_series(sts)
    patients = {series.patient_id for series in found.series}
    assert len(patients) == 38
    assert len(found.labels) == len(found.series) == 82
    assert {series.uid for series in found.series} == {uid for item in found.labels for uid in item.series_uids}
    for series in found.series:
        assert not series.problems
        assert measure_grid(series).shape[2] == len(series.files)


def test_a_series_is_found_again_by_its_files(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    write_series(tmp_path / "a", make_grid("axial", (12, 10, 9)))
    write_series(tmp_path / "b", make_grid("sagittal"))
    found = find_series(tmp_path).series
    for series in found:
        again = find_again(series.files[::-1], series.uid, [("set-aside", "a scout")])
        assert again is not None
        assert (again.files, again.folder) == (series.files, series.folder)
        assert again.notes == (Note("set-aside", "a scout"),)
        assert all(header.file is not None and header.file.kept for header in again.headers)
    assert find_again(found[0].files, "1.2") is None


def test_files_of_a_folder_come_before_those_of_its_subfolders(tmp_path: Path) -> None:
    for name in ("b/x", "b/a/y", "a", "c", "b/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".hidden").touch()
    listed = list_files(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in listed] == ["a", "c", "b/x", "b/z", "b/a/y"]
    assert sorted(listed, key=_list_turns) == listed
    assert list_files(tmp_path / "a") == [tmp_path / "a"]


def test_a_series_can_be_named_absolutely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "in" / "a", make_grid())
    monkeypatch.chdir(tmp_path)
    (series,) = find_series("in", keep=True).series
    assert series.folder == "in/a"
    moved = series.make_absolute()
    assert moved.make_absolute() is moved
    (expected,) = find_series(tmp_path / "in").series
    assert (moved.folder, moved.files) == (expected.folder, expected.files)
    assert [header.path for header in moved.headers] == [header.path for header in expected.headers]
    monkeypatch.chdir("/")
    assert moved.is_unchanged()
    assert not series.is_unchanged()
    assert read_volume(moved).grid.shape == (12, 10, 6)


def test_series_are_listed_in_a_table(tmp_path: Path) -> None:
    for number, (name, orientation) in enumerate((("a", "axial"), ("b", "oblique"))):
        write_series(tmp_path / name, make_grid(orientation))
        change(tmp_path / name, lambda dataset, _, n=number: setattr(dataset, "SeriesNumber", 7 + n))
    first, second = find_series(tmp_path).series
    with pytest.raises(SeriesError, match="it holds 2 series; choose one of these") as refusal:
        read_volume(tmp_path)
    _, head, *lines = str(refusal.value).splitlines()
    assert re.split(r"\s{2,}", head.strip()) == [
        *("description", "number", "modality", "slices", "SeriesInstanceUID", "folder")
    ]
    assert [re.split(r"\s{2,}", line.strip()) for line in lines] == [
        ["Portal venous phase", "7", "CT", "6", first.uid, first.folder],
        ["Portal venous phase", "8", "CT", "6", second.uid, second.folder],
    ]
    assert "folder" not in tabulate_series([first])
