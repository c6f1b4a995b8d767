import sys
import tomllib
from pathlib import Path

import pytest

from medunet.errors import ExtraError
from medunet.extras import EXTRAS, load_extra

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(("extra", "requirement"), EXTRAS.values())
def test_requirements_are_those_of_the_project(extra: str, requirement: str) -> None:
    assert requirement in PROJECT["optional-dependencies"][extra]


def test_what_is_missing_is_named_with_its_extra_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_extra("highdicom", "DICOM SEG").__name__ == "highdicom"
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(ExtraError, match=r"DICOM SEG: it needs highdicom>=0.28 .*pip install 'medunet\[dicom\]'"):
        load_extra("highdicom", "DICOM SEG")
