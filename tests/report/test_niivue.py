import base64
import gzip
import sys
from pathlib import Path

import pytest

from medunet.findings import listening
from medunet.report.niivue import METHODS, NAME, export_class, find_niivue

CALLS = "".join(f"{name}(){{}}" for name in METHODS)
WIDGET = f'class t2{{{CALLS}}}var vA;if(!vA){{console.log("Creating new Niivue instance");let C={{}};vA=new t2(C)}}'


def install(folder: Path, widget: str) -> None:
    """Put a package of that name where Python finds it."""
    (folder / "ipyniivue" / "static").mkdir(parents=True)
    (folder / "ipyniivue" / "__init__.py").touch()
    (folder / "ipyniivue" / "static" / "widget.js").write_text(widget)
    about = folder / "ipyniivue-9.9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ipyniivue\nVersion: 9.9\n")
    (about / "LICENSE").write_text("Copyright of niivue")
    (about / "RECORD").write_text("ipyniivue/static/widget.js,,\nipyniivue-9.9.dist-info/LICENSE,,\n")


@pytest.fixture(autouse=True)
def anew() -> None:
    find_niivue.cache_clear()


def test_the_class_is_handed_out() -> None:
    assert export_class(WIDGET).endswith(f"export {{t2 as {NAME}}};\n")
    assert export_class(WIDGET.replace("t2", "$a")).endswith(f"export {{$a as {NAME}}};\n")
    assert export_class(WIDGET.replace("Creating", "Making")) is None
    assert export_class(WIDGET.replace("setSliceType(", "setKind(")) is None


def test_an_installed_package_is_inlined_with_its_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, WIDGET)
    monkeypatch.syspath_prepend(tmp_path)
    found = find_niivue()
    assert (found.version, found.licence) == ("9.9", "Copyright of niivue")
    assert gzip.decompress(base64.b64decode(found.code)).decode() == export_class(WIDGET)


def test_another_version_is_told_of_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "something else")
    monkeypatch.syspath_prepend(tmp_path)
    with listening() as heard:
        assert find_niivue() is None
    assert [finding.code for finding in heard] == ["viewer-plain"]


def test_without_the_package_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert find_niivue() is None
