import pytest

from medunet.errors import InputError, RecordError
from medunet.reading import ReadOptions, parse_options
from medunet.records import check_record


def test_options_choose_nothing_by_themselves_and_misspelt_ones_are_named() -> None:
    options = ReadOptions()
    assert (options.series, options.phase, options.assume_rescale, options.pet) == (None, None, None, "suv")
    with pytest.raises(RecordError, match="did you mean 'phase'"):
        check_record({"fase": "2"}, ReadOptions, "options")
    with pytest.raises(RecordError, match="the key 'assume_rescale"):
        check_record({"assume_rescale": [1]}, ReadOptions, "options")
    for wrong in ({"assume_rescale": [float("nan"), 0]}, {"assume_rescale": [float("inf"), 0]}, {"series": ""}):
        with pytest.raises(RecordError, match=f"the key '{next(iter(wrong))}"):
            check_record(wrong, ReadOptions, "options")


def test_texts_of_options_hold_for_a_channel_or_for_all() -> None:
    found = parse_options({"series": ["ct=1.2", "pet=1.3"], "pet": ["stored"], "assume_rescale": ["ct=1,-1024"]})
    assert (found[""].series, found[""].pet) == (None, "stored")
    assert (found["ct"].series, found["ct"].pet, found["ct"].assume_rescale) == ("1.2", "stored", (1.0, -1024.0))
    assert parse_options({"phase": []}) == {}
    for wrong in ({"series": ["=1.2"]}, {"series": ["1.2", "1.3"]}, {"pet": ["mL"]}, {"assume_rescale": ["1"]}):
        with pytest.raises(InputError):
            parse_options(wrong)
