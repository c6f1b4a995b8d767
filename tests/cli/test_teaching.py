import pytest

from medunet.cli.teaching import make_teaching, parse_triple
from medunet.errors import InputError


def test_options_become_arguments() -> None:
    made = make_teaching(seconds=10.0, scan="512x512×300", spacing="0.8X0.8x1")
    assert made["scan"] == (512, 512, 300)
    assert made["spacing"] == (0.8, 0.8, 1.0)
    assert (made["preset"], made["cohort"], made["unlabelled"], made["weight"]) == ("exact", None, None, 1.0)


@pytest.mark.parametrize("text", ["", "512x512", "512x512x0", "axbxc", "1x2x-3", "1x2x3x4", "1x2xnan", "1x2xinf"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="it is no three numbers above 0") as caught:
        parse_triple(text, "--spacing", "0.8x0.8x1")
    assert caught.value.code == "option-wrong"


def test_voxels_are_whole() -> None:
    with pytest.raises(InputError, match="voxels are whole numbers"):
        make_teaching(seconds=10.0, scan="1.5x2x3", spacing="1x1x1")
