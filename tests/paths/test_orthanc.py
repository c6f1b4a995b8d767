"""A real archive takes every DICOM result, and gives it back as it was."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dicoms import draw_balls, make_grid, write_series
from orthanc import PLUGIN, PROGRAM, STORESCU, Orthanc, run_orthanc
from pydicom import dcmread

from medunet.labels import LabelTable, Mask
from medunet.reading import find_image, read_volume
from medunet.writing import Algorithm, Probabilities, Result
from medunet.writing.formats import FORMATS

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None or not PLUGIN.exists(), reason="orthanc and orthanc-dicomweb aren't installed"),
]
RESULTS = ("seg", "seg-labelmap", "seg-fractional", "rtstruct", "sr", "sc")
UNKNOWN = ("seg-labelmap",)
"""Whose class is younger than Debian's Orthanc and DCMTK: they refuse it as an association, not as a file."""


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with run_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series and all results on it."""
    folder, table = tmp_path_factory.mktemp("study"), LabelTable.from_names(["liver", "GTV_1"])
    write_series(folder / "series", make_grid("oblique", (21, 17, 9)))
    image, grid = find_image(folder / "series"), read_volume(folder / "series").grid
    mask = Mask("classes", draw_balls(grid, table.names).voxels, grid, table)
    maps = np.random.default_rng(0).integers(0, 255, (2, *grid.shape), dtype=np.uint8)
    likely = Probabilities(maps, table.names, exclusive=False)
    result = Result(mask, image, Algorithm("ball finder", "1.2.3", "f" * 64), {"ct": image}, likely)
    for name in RESULTS:
        result.files[name] = folder / f"{name}.dcm"
        FORMATS[name].write(result, result.files[name])
    return folder


@pytest.mark.parametrize("name", RESULTS)
def test_what_was_sent_by_stow_comes_back_as_it_was(orthanc: Orthanc, study: Path, name: str) -> None:
    series = sorted((study / "series").iterdir())
    assert orthanc.stow(*series, study / f"{name}.dcm") == len(series) + 1
    sent = dcmread(study / f"{name}.dcm")
    back = orthanc.fetch(sent)
    assert back.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert back == sent


@pytest.mark.skipif(STORESCU is None, reason="dcmtk isn't installed")
@pytest.mark.parametrize("name", [name for name in RESULTS if name not in UNKNOWN])
def test_what_was_sent_by_c_store_comes_back_as_it_was(
    orthanc: Orthanc, study: Path, tmp_path: Path, name: str
) -> None:
    sent = dcmread(study / f"{name}.dcm")
    sent.SOPInstanceUID = sent.file_meta.MediaStorageSOPInstanceUID = f"{sent.SOPInstanceUID}.1"
    sent.save_as(tmp_path / "m.dcm")
    orthanc.store(tmp_path / "m.dcm")
    assert orthanc.fetch(sent) == sent
