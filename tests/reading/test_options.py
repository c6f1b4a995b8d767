import pytest

from medunet.errors import RecordError
from medunet.reading import ReadOptions
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
