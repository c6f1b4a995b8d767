"""Folders and files as people have them."""

import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from dicoms import make_grid, write_series

from medunet.errors import MissingInputError
from medunet.reading import find_series, read_volume
from medunet.testing.faults import FAULTS
from medunet.testing.faults.scans import make_scan, rename, write_dataset
from medunet.testing.phantoms import make_uid

NAME = "Größe + 1 (ü)"
LOCALES = {
    "C": {"LC_ALL": "C"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
READ = "import sys; from medunet.reading import read_volume; print(int(read_volume(sys.argv[1]).voxels.sum()))"


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("ending", ["", ".nii.gz", ".nrrd", ".mha"])
def test_names_with_spaces_umlauts_and_plus_signs_under_a_c_locale(tmp_path: Path, ending: str, locale: str) -> None:
    path = tmp_path / (NAME + ending)
    voxels = np.random.default_rng(0).integers(-500, 900, (7, 6, 5)).astype(np.int16)
    if not ending:
        voxels = write_series(path, make_grid())
        for file in path.iterdir():
            file.rename(file.with_name(f"Schicht ä+{file.stem}"))
    elif ending == ".nii.gz":
        nib.save(nib.Nifti1Image(voxels, np.diag([1.0, 2, 3, 1])), path)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(path))
    result = subprocess.run(
        [sys.executable, "-c", READ, str(path)], env={**os.environ, **LOCALES[locale]}, capture_output=True, text=True
    )
    if locale == "ASCII" and ending in (".nrrd", ".mha"):
        assert "run in a UTF-8 locale" in result.stderr
        return
    assert result.stdout.strip() == str(int(voxels.astype(int).sum())), result.stderr


def test_files_without_an_ending_in_a_folder_that_nobody_may_write(tmp_path: Path) -> None:
    voxels = write_series(tmp_path / "CT", make_grid())
    for number, file in enumerate(sorted((tmp_path / "CT").iterdir())):
        file.rename(file.with_name(f"IM{number}"))
        file.with_name(f"IM{number}").chmod(0o444)
    (tmp_path / "CT").chmod(0o555)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "CT").rglob("*"))
    assert np.array_equal(read_volume(tmp_path / "CT").voxels[0], voxels)
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "CT").rglob("*"))
    (tmp_path / "CT").chmod(0o755)


def test_links_to_files_and_to_the_folder_are_followed(tmp_path: Path) -> None:
    voxels = write_series(tmp_path / "store", make_grid())
    (tmp_path / "CT").mkdir()
    for file in (tmp_path / "store").iterdir():
        (tmp_path / "CT" / file.name).symlink_to(file)
    (tmp_path / "link").symlink_to(tmp_path / "CT")
    assert np.array_equal(read_volume(tmp_path / "link").voxels[0], voxels)
    (tmp_path / "CT" / "0009.dcm").symlink_to(tmp_path / "nowhere")
    assert any(re.search(r"0009\.dcm was set aside", note.text) for note in read_volume(tmp_path / "link").source.notes)


def test_patients_behind_links_are_found_each_once_and_loops_end(tmp_path: Path) -> None:
    write_series(tmp_path / "store" / "CT", make_grid())
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    for name in ("a", "b"):
        (cohort / name).symlink_to(tmp_path / "store")
    (tmp_path / "store" / "CT" / "up").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "here").symlink_to(cohort)
    (series,) = find_series(cohort).series
    assert series.files == tuple(str(cohort / "a" / "CT" / f"000{k}.dcm") for k in range(1, 7))
    assert len(find_series(tmp_path).series[0].files) == 6


def test_a_zip_archive_is_refused_by_name(tmp_path: Path) -> None:
    write_series(tmp_path / "CT", make_grid())
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in (tmp_path / "CT").iterdir():
            archive.write(file, file.stem)
    with pytest.raises(MissingInputError, match="zip archive"):
        read_volume(path)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["CT", "scan.zip"]


def test_a_disc_with_its_directory_is_read(tmp_path: Path) -> None:
    fault = next(fault for fault in FAULTS if fault.code == "87")
    fault.make("oblique").write(tmp_path / "DICOM")
    (tmp_path / "DICOM" / "DICOMDIR").rename(tmp_path / "DICOMDIR")
    (tmp_path / "README.TXT").write_text("disc")
    assert read_volume(tmp_path).grid.shape[2] == 9
    assert {reason for _, reason in find_series(tmp_path).others} == {"a DICOMDIR", "no DICOM file"}


@pytest.mark.slow
def test_headers_of_20000_files_take_a_minute_at_most(tmp_path: Path) -> None:
    """100 series of 200 slices, headers of a usual size."""
    item = make_scan("oblique").slices[0]
    for number in range(100):
        folder = tmp_path / f"{number:03d}"
        folder.mkdir()
        item.dataset.SeriesInstanceUID = make_uid("series", str(number))
        for k in range(200):
            item.move(item.normal * 2)
            rename(item.dataset, make_uid(str(number), str(k)))
            write_dataset(item.dataset, folder / f"{k}.dcm")
    start = time.perf_counter()
    found = find_series(tmp_path)
    seconds = time.perf_counter() - start
    assert [len(series.files) for series in found.series] == [200] * 100
    assert seconds < 60
