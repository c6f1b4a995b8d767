from pathlib import Path

from dicoms import change, make_grid, write_mask, write_series
from pydicom import Dataset, dcmread

from medunet.reading.dicom.sorting import LOCALIZER, Sorter, find_reason


def sort(*paths: Path) -> Sorter:
    sorter = Sorter(keep=False)
    for path in paths:
        sorter.take(path)
    return sorter


def test_files_are_sorted_by_what_their_headers_say(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path, grid)
    write_mask(tmp_path / "contours.dcm", (voxels > 0).astype("uint8"), grid, voxels)
    (tmp_path / "notes.txt").write_text("none")
    change(tmp_path, lambda dataset, _: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), only=[0])
    found = sort(*sorted(tmp_path.iterdir()))
    (uid,) = found.images
    assert [Path(image.path).name for image in found.images[uid]] == [f"000{k}.dcm" for k in range(2, 7)]
    assert [Path(item.path).name for item in found.labels] == ["contours.dcm"]
    assert [(Path(name).name, why) for name, why in found.others] == [
        ("0001.dcm", LOCALIZER),
        ("notes.txt", "no DICOM file"),
    ]
    assert found.localizers == {uid: 1}
    assert found.list_damaged() == []


def test_damaged_files_are_sorted_by_what_is_left(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path, grid)
    write_mask(tmp_path / "contours.dcm", (voxels > 0).astype("uint8"), grid, voxels)
    for name in ("0002.dcm", "contours.dcm"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-9])
    (tmp_path / "junk.dcm").write_text("none")
    found = sort(*sorted(tmp_path.iterdir()))
    (uid,) = found.images
    assert [Path(error.subject).name for error in found.damaged[uid]] == ["0002.dcm"]
    assert [Path(error.subject).name for error in found.unknown] == ["junk.dcm"]
    assert [Path(error.subject).name for error in found.list_damaged()] == ["contours.dcm", "junk.dcm"]
    alone = sort(tmp_path / "0002.dcm")
    assert [Path(error.subject).name for error in alone.list_damaged()] == ["0002.dcm"]


def test_reasons(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    dataset = dcmread(tmp_path / "0001.dcm")
    assert find_reason(dataset) == ""
    dataset.ImageType = "LOCALIZER"
    assert find_reason(dataset) == LOCALIZER
    report = Dataset()
    report.Modality = "SR"
    assert find_reason(report) == "SR is no image"
    assert find_reason(Dataset()) == "an object is no image"
