import pytest

from medunet.errors import InputError
from medunet.writing import choose_formats, find_usual
from medunet.writing.formats import FORMATS


def test_every_row_is_found_by_its_name_and_ends_in_its_own_way() -> None:
    assert all(row.name == name for name, row in FORMATS.items())
    endings = [row.ending for row in FORMATS.values()]
    assert all(ending.startswith(".") for ending in endings)
    assert not any(one != other and one.endswith(other) for one in endings for other in endings)


def test_the_usual_format_is_taken_where_none_is_named() -> None:
    assert [row.name for row in choose_formats((), "mm")] == ["nifti"]
    assert [row.name for row in choose_formats((), "px")] == ["png"]
    assert [row.name for row in choose_formats(("seg", "nifti", "seg"), "mm")] == ["seg", "nifti"]
    assert find_usual("px").ending == ".png"


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
