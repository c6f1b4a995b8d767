import inspect
from pathlib import Path
from typing import get_args

import pytest

from medunet.cli.outputs import make_outputs, take_outputs
from medunet.errors import InputError
from medunet.writing.formats import FORMATS


def test_formats_are_a_list_and_the_rest_is_handed_on() -> None:
    assert make_outputs(Path("o"), "nifti,seg", empty_seg=False, overwrite=True) == {
        "output": Path("o"), "formats": ["nifti", "seg"], "empty_seg": False, "overwrite": True
    }  # fmt: skip
    assert make_outputs()["formats"] == []
    assert make_outputs(formats="nifti", picture=True)["formats"] == ["nifti", "picture"]
    assert make_outputs(page=True)["formats"] == ["page"]
    assert make_outputs(seg_empty_frames="omit")["seg_empty_frames"] == "omit"
    with pytest.raises(InputError, match="--format"):
        make_outputs(formats="")


def test_help_names_every_format_of_volumes() -> None:
    _, option = get_args(inspect.signature(make_outputs, eval_str=True).parameters["formats"].annotation)
    assert all(name in option.help for name, row in FORMATS.items() if row.unit in ("mm", None))


def test_a_command_gets_them_as_one_argument() -> None:
    seen = {}

    def command(outputs: dict[str, object]) -> None:
        seen.update(outputs)

    take_outputs(command)(output=Path("x"), formats=None, picture=False, empty_seg=True, overwrite=False)
    assert seen == {"output": Path("x"), "formats": [], "empty_seg": True, "overwrite": False}
