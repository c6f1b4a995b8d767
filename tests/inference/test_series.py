import shutil
from pathlib import Path

import pytest
from dicoms import change, make_grid, write_series
from pydicom.uid import generate_uid

from medunet.errors import InputError, SeriesError
from medunet.inference.series import check_each, list_each, list_visits, part_visits
from medunet.labels import LabelTable
from medunet.reading import Contents, find_series
from medunet.reading.rules import ChannelRule, Rules
from medunet.task import Task

CT = Task(channels=("ct",), modalities={"ct": "CT"}, units={}, labels=LabelTable.from_names(["lesion"]))
THIN: Rules = {"ct": ChannelRule(where=("thickness<=3",))}


def write(folder: Path, number: int, thickness: float, patient: str = "P1", study: str = "1.2.3") -> Path:
    write_series(folder, make_grid("axial"))
    series = generate_uid()
    values = {"SeriesNumber": number, "SliceThickness": thickness, "PatientID": patient, "StudyInstanceUID": study}
    values["SeriesInstanceUID"] = series
    change(folder, lambda dataset, _: [setattr(dataset, name, value) for name, value in values.items()])
    return folder


def find(folder: Path) -> Contents:
    return find_series(folder, keep=True)


def test_each_series_that_matches_is_a_scan_in_whatever_order_files_lie(tmp_path: Path) -> None:
    for name, number, thickness in (("a", 4, 5), ("b", 2, 1), ("c", 3, 2)):
        write(tmp_path / "p" / name, number, thickness)
    found = list_each(tmp_path / "p", find(tmp_path / "p"), CT, {}, THIN)
    assert sorted(match.id for match in found) == ["p_s2", "p_s3"]
    scans = {match.id: match.find() for match in found}
    assert {scan.id: Path(scan.reference.path).name for scan in scans.values()} == {"p_s2": "b", "p_s3": "c"}
    for old, new in (("a", "z"), ("c", "a")):
        shutil.move(tmp_path / "p" / old, tmp_path / "p" / new)
    again = list_each(tmp_path / "p", find(tmp_path / "p"), CT, {}, THIN)
    assert sorted(match.id for match in again) == ["p_s2", "p_s3"]


def test_numbers_that_repeat_are_told_apart_by_their_uids(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / "p" / name, 2, 1)
    names = [match.id for match in list_each(tmp_path / "p", find(tmp_path / "p"), CT, {}, THIN)]
    assert len({*names}) == 2
    assert all(name.startswith("p_s2_") for name in names)


def test_where_none_matches_each_is_listed_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path / "p" / "a", 4, 5)
    write(tmp_path / "p" / "b", 5, 8)
    (match,) = list_each(tmp_path / "p", find(tmp_path / "p"), CT, {}, THIN)
    with pytest.raises(SeriesError, match=r"(?s)thickness.*thickness") as caught:
        match.find()
    assert caught.value.code == "series-unmatched"


def test_studies_that_have_all_channels_are_scans_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "p" / "a", 1, 2, study="1.2.3")
    write(tmp_path / "p" / "b", 1, 2, study="1.2.4")
    write(tmp_path / "p" / "c", 1, 9, study="1.2.5")
    contents = find(tmp_path / "p")
    assert [[series.study_uid for series in visit] for visit in part_visits(contents.series, CT, THIN)] == [
        ["1.2.3"],
        ["1.2.4"],
    ]
    found = list_visits(tmp_path / "p", contents, CT, {}, THIN)
    assert len({match.id for match in found}) == 2
    assert {Path(match.find().reference.path).name for match in found} == {"a", "b"}


def test_a_series_alone_is_no_scan_of_several_channels() -> None:
    both = Task(
        channels=("ct", "pet"), modalities={"ct": "CT", "pet": "PT"}, units={}, labels=LabelTable.from_names(["lesion"])
    )
    check_each(CT)
    with pytest.raises(InputError, match="takes 2 channels"):
        check_each(both)
