"""Bundles that come with medunet, by their names."""

from pathlib import Path

import pytest

from medunet.bundle import open_bundle
from medunet.bundle.shipped import list_shipped, locate_bundle

BUNDLES = Path(__file__).parents[2] / "bundles"


def test_all_are_listed_by_their_names() -> None:
    found = list_shipped()
    assert list(found) == sorted(path.name for path in BUNDLES.iterdir())
    assert all(open_bundle(path).name == name for name, path in found.items())


def test_a_name_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate_bundle(Path("nuclei_unet2d")) == BUNDLES / "nuclei_unet2d"
    assert locate_bundle(Path("nuclei")) == Path("nuclei")
    assert locate_bundle(Path("x", "nuclei_unet2d")) == Path("x", "nuclei_unet2d")
    Path("nuclei_unet2d").mkdir()
    assert locate_bundle(Path("nuclei_unet2d")) == Path("nuclei_unet2d")
