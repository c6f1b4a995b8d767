"""Every ordinary scan of `medunet.testing.ordinary` through `read_volume`: all are read, and right."""

from pathlib import Path

import pytest

from medunet.errors import MedunetError
from medunet.reading import ReadOptions, read_volume
from medunet.testing.faults import judge
from medunet.testing.ordinary import ORDINARY, Ordinary


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
    assert read(ordinary, tmp_path / "scan") == ""


def test_there_are_as_many_as_before() -> None:
    assert len({ordinary.name for ordinary in ORDINARY}) >= 127
