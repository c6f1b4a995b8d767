import pytest

from medunet.errors import InputError
from medunet.writing import Format, add_beside, choose_formats, find_usual
from medunet.writing.formats import FORMATS
from medunet.writing.interface import check_nothing


def test_every_row_is_found_by_its_name_and_ends_in_its_own_way() -> None:
    assert all(row.name == name for name, row in FORMATS.items())
    endings = [row.ending for row in FORMATS.values()]
    assert all(ending.startswith(".") for ending in endings)
    # What lies beside a mask may end like one: its own name has one more part.
    masks = [row.ending for row in FORMATS.values() if row.read]
    assert not any(one != other and one.endswith(other) for one in masks for other in masks)
    assert all(ending.count(".") > 1 for ending in endings if ending not in masks)
    assert len(set(endings)) == len(endings)


def test_the_usual_format_is_taken_where_none_is_named() -> None:
    assert [row.name for row in choose_formats((), "mm")] == ["nifti"]
    assert [row.name for row in choose_formats((), "px")] == ["png"]
    assert [row.name for row in choose_formats(("seg", "nifti", "seg"), "mm")] == ["seg", "nifti"]
    assert find_usual("px").ending == ".png"


def test_a_mask_is_always_among_them() -> None:
    assert [row.name for row in choose_formats(("probabilities",), "mm")] == ["nifti", "probabilities"]
    assert [row.name for row in choose_formats(("seg", "measures"), "mm")] == ["seg", "measures"]
    drawn = Format("drawn", ".drawn.png", None, check_nothing, lambda *_: None, None)
    assert [row.name for row in choose_formats(("drawn",), "px", [drawn])] == ["png", "drawn"]
    with pytest.raises(InputError, match="there is no such format"):
        choose_formats(("drawn",), "px")


def test_measures_are_added_once() -> None:
    assert [row.name for row in add_beside(choose_formats((), "mm"))] == ["nifti", "measures", "measures-csv"]
    rows = add_beside(choose_formats(("nifti", "measures-csv"), "mm"))
    assert [row.name for row in rows] == ["nifti", "measures-csv", "measures"]


@pytest.mark.parametrize(
    ("name", "unit", "words"),
    [
        ("nifty", "mm", "there is no such format; did you mean 'nifti'"),
        ("png", "mm", "masks of this bundle are written as nifti"),
        ("seg", "px", "masks of this bundle are written as png"),
    ],
)
def test_a_format_that_does_not_fit_is_refused(name: str, unit: str, words: str) -> None:
    with pytest.raises(InputError, match=f"--format {name}: {words}"):
        choose_formats((name,), unit)  # type: ignore[arg-type]
