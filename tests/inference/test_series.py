import json
import shutil
from pathlib import Path

import pytest
from dicoms import change, make_grid, write_series
from plans import make_test_plan
from pydicom.uid import generate_uid

from medunet.errors import InputError, SeriesError, UnmatchedError
from medunet.inference import Input, list_inputs
from medunet.inference.series import check_each, list_each, list_visits, part_visits
from medunet.labels import LabelTable
from medunet.reading import Contents, ReadOptions, find_series
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


def test_each_series_of_several_patients_whose_numbers_repeat(tmp_path: Path) -> None:
    """One scan once said the same of all patients' series 2, so that all but the first were left out."""
    for patient in ("P1", "P2", "P3"):
        write(tmp_path / patient / "CT", 2, 1, patient, f"1.2.{patient[1]}")
    found = list_inputs([tmp_path], CT, rules=THIN, each=True)
    assert find_folders(found) == {"P1_s2": "CT", "P2_s2": "CT", "P3_s2": "CT"}
    assert len({item.source for item in found}) == 3


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
    check_each(CT, {"": ReadOptions(phase="2")})
    with pytest.raises(InputError, match="takes 2 channels"):
        check_each(both, {})


def test_each_series_beside_one_that_is_named_is_refused() -> None:
    for name in ("", "ct"):
        with pytest.raises(InputError, match=r"^--each-series: --series names one of them; leave one of both out\.$"):
            check_each(CT, {name: ReadOptions(series="1.2")})


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A table of two studies, one of them of a thin and a thick series."""
    write(tmp_path / "first" / "thick", 4, 5, "P1", "1.2.1")
    write(tmp_path / "first" / "thin", 2, 1, "P1", "1.2.1")
    write(tmp_path / "second" / "only", 7, 5, "P2", "1.2.2")
    (tmp_path / "cases.csv").write_text("id,patient,ct\nA,1,first\nB,2,second\n")
    return tmp_path / "cases.csv"


def find_folders(found: list[Input]) -> dict[str, str]:
    return {item.id: Path(item.find().reference.path).name for item in found}


def test_rules_choose_in_folders_that_a_list_names(listed: Path, tmp_path: Path) -> None:
    """An entry that is one series is what was meant, whatever the rule says."""
    first, second = list_inputs([listed], CT)
    with pytest.raises(UnmatchedError, match=r"(?s)2 series are CT; .*thin") as caught:
        first.find()
    assert caught.value.code == "channel-ambiguous"
    assert Path(second.find().reference.path).name == "second"
    assert find_folders(list_inputs([listed], CT, rules=THIN)) == {"A": "thin", "B": "second"}
    thick, _ = list_inputs([listed], CT, rules={"ct": ChannelRule(where=("thickness>9",))})
    with pytest.raises(UnmatchedError, match=r"(?s)thickness is 1.*thickness is 5|thickness is 5.*thickness is 1"):
        thick.find()
    uid = find_series(tmp_path / "first" / "thick").series[0].uid
    channel = {"path": "first", "series": uid}
    cohort = {"channels": ["ct"], "modalities": {"ct": "CT"}, "labels": ["lesion"]}
    case = {"id": "A", "patient": "1", "channels": {"ct": channel}}
    (tmp_path / "cohort.json").write_text(json.dumps({**cohort, "cases": [case]}))
    (named,) = list_inputs([tmp_path / "cohort.json"], CT, rules=THIN)
    found = named.find().reference
    assert (found.options.series, found.series and found.series.uid) == (uid, uid)


def test_modalities_choose_in_a_study_that_a_list_names_for_all_channels(tmp_path: Path) -> None:
    write(tmp_path / "study" / "a", 1, 2)
    write(tmp_path / "study" / "b", 2, 2)
    change(tmp_path / "study" / "b", lambda dataset, _: setattr(dataset, "Modality", "PT"))
    (tmp_path / "cases.csv").write_text("id,patient,ct,pet\nA,1,study,study\n")
    task = make_test_plan(channels=("ct", "pet")).task
    (item,) = list_inputs([tmp_path / "cases.csv"], task)
    assert {key: Path(image.path).name for key, image in item.find().images.items()} == {"ct": "a", "pet": "b"}


def test_rules_choose_in_a_tree_that_a_cohort_names(listed: Path, tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "cohort.json").write_text('{"cases": ".."}')
    for given in (tmp_path / "cohort", tmp_path / "cohort" / "cohort.json"):
        found = list_inputs([given], CT, rules={"ct": ChannelRule(prefer=("thinnest",))})
        assert find_folders(found) == {"P1": "thin", "P2": "only"}
        refused = [item for item in list_inputs([given], CT) if item.id == "P1"]
        with pytest.raises(UnmatchedError):
            refused[0].find()
        assert {item.id for item in list_inputs([given], CT, each=True)} == {"P1_s4", "P1_s2", "P2_s7"}


def test_each_series_of_listed_folders_has_the_name_of_its_case(listed: Path) -> None:
    found = find_folders(list_inputs([listed], CT, each=True))
    assert found == {"A_s2": "thin", "A_s4": "thick", "B_s7": "only"}
    assert find_folders(list_inputs([listed], CT, rules=THIN, each=True)[:1]) == {"A_s2": "thin"}
