import pytest

from medunet.cohort.studies import find_visits, take_labels, try_visits
from medunet.errors import SeriesError
from medunet.findings import listening
from medunet.reading import LabelFile, Series

CT_PET = {"ct": "CT", "pet": "PT"}


def make(uid: str, modality: str, study: str) -> Series:
    return Series(uid, modality, "P", study, "", "", f"P/{uid}", (), ())


def list_uids(found: list[Series], modalities: dict[str, str] = CT_PET) -> list[list[str]]:
    return [[item.uid for item in visit.values()] for visit in find_visits("P", found, modalities)]


def test_one_series_for_each_channel_is_a_case_whatever_the_studies() -> None:
    assert list_uids([make("c", "CT", "1"), make("p", "PT", "2"), make("m", "MR", "3")]) == [["c", "p"]]


def test_each_study_with_every_channel_is_a_case() -> None:
    first, second = [make("c1", "CT", "1"), make("p1", "PT", "1")], [make("c2", "CT", "2"), make("p2", "PT", "2")]
    assert list_uids([*first, *second]) == [["c1", "p1"], ["c2", "p2"]]
    with listening() as heard:
        assert list_uids([*first, make("c3", "CT", "3")]) == [["c1", "p1"]]
    assert [item.found for item in heard] == ["its study 3 has no PT series, so it is left out"]


def test_several_in_one_study_and_none_at_all_are_refused() -> None:
    pair = [make("c1", "CT", "1"), make("c2", "CT", "1")]
    with pytest.raises(SeriesError, match="patient P: it has 2 CT series") as caught:
        list_uids(pair, {"ct": "CT"})
    assert caught.value.code == "channel-ambiguous"
    with pytest.raises(SeriesError, match="patient P, study 1: it has 2 CT series"):
        list_uids([*pair, make("c3", "CT", "2")], {"ct": "CT"})
    with pytest.raises(SeriesError, match=r"P: it has no PT series, which channel pet needs \(there is CT\); add"):
        list_uids(pair[:1])
    # No study has both, and which CT belongs to the PET isn't known.
    with pytest.raises(SeriesError, match="it has 2 CT series"):
        list_uids([make("c1", "CT", "1"), make("c2", "CT", "2"), make("p", "PT", "3")])


def test_what_is_not_whole_comes_with_its_reason() -> None:
    whole = [make("c1", "CT", "1"), make("p1", "PT", "1")]
    first, lacking = try_visits("P", [*whole, make("c3", "CT", "3")], CT_PET)
    assert isinstance(first, dict)
    assert str(lacking) == "patient P, study 3: it has no PT series; add it."
    (only,) = try_visits("P", [make("c1", "CT", "1"), make("c2", "CT", "1"), make("p", "PT", "1")], CT_PET)
    assert isinstance(only, SeriesError)
    assert only.code == "channel-ambiguous"


def test_labels_of_another_visit_are_none_of_this_one() -> None:
    one, two = {"ct": make("c1", "CT", "1")}, {"ct": make("c2", "CT", "2")}
    own = LabelFile("a", "RTSTRUCT", "P", "1", "", ("c1",), ())
    foreign = LabelFile("b", "RTSTRUCT", "P", "1", "", ("c2",), ())
    silent = LabelFile("c", "RTSTRUCT", "P", "2", "", (), ())
    assert [item.path for item in take_labels([own, foreign, silent], one, [two])] == ["a"]
    assert [item.path for item in take_labels([own, foreign, silent], two, [one])] == ["b", "c"]
    assert take_labels([own, silent], one, []) == [own, silent]
