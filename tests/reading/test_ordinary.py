"""Every ordinary scan of `medunet.testing.ordinary` through `read_volume`: how many of them are read, and right."""

import re
from pathlib import Path

import pytest

from medunet.errors import MedunetError
from medunet.reading import ReadOptions, read_volume
from medunet.testing.faults import judge
from medunet.testing.ordinary import ORDINARY, Ordinary

REFUSED = {
    "a frame of reference for each slice": "its FrameOfReferenceUID differs",
    "two b-values by a private tag of GE, one chosen": "they are different images",
    "raw data with a size in the series": "PixelSpacing is missing",
    "a screenshot in the series": "PixelSpacing is missing",
    "a picture in colours in the series": "PixelSpacing is missing",
    "a damaged report in the folder": "its header can't be read",
}
"""What isn't read yet, and the sentence that says so; an entry goes when its scan is read, and none is added."""


def read(ordinary: Ordinary, folder: Path) -> str:
    """The sentence of a refusal; "" where all is right."""
    scan, options = ordinary.make(), dict(ordinary.options)
    if options.get("series") == "first":
        options["series"] = str(scan.slices[0].dataset.SeriesInstanceUID)
    scan.write(folder)
    try:
        volume = read_volume(folder / ordinary.file, ReadOptions(**options))
    except MedunetError as error:
        return str(error)
    verdict = judge([(volume.voxels[0], volume.grid.affine)], scan)
    assert verdict.is_right(units=ordinary.tolerance), verdict
    return ""


@pytest.mark.parametrize("ordinary", ORDINARY, ids=lambda ordinary: ordinary.name.replace(" ", "_"))
def test_an_ordinary_scan_is_read_right(ordinary: Ordinary, tmp_path: Path) -> None:
    said = read(ordinary, tmp_path / "scan")
    if said:
        assert ordinary.name in REFUSED, said
        assert re.search(REFUSED[ordinary.name], said)


def test_most_are_read() -> None:
    assert {ordinary.name for ordinary in ORDINARY} >= set(REFUSED)
    assert len(ORDINARY) >= 127
    assert len(REFUSED) <= 6
