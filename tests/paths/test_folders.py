"""Folders as people have them, through the command line, in the locale of a bare container."""

import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from medunet.cohort import find_cohort, read_channel, read_label, write_cohort
from medunet.errors import InputError
from medunet.testing.faults import FAULTS
from medunet.testing.faults.scans import make_scan, rename, write_dataset
from medunet.testing.phantoms import PhantomSize, make_cohort, make_uid

C = {"LC_ALL": "C"}
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SIZE = PhantomSize((16, 14, 8), (20.0, 22.0, 30.0))


def run(*arguments: object, locale: dict[str, str] = C) -> subprocess.CompletedProcess[str]:
    """`medunet ARGUMENTS` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "medunet", *map(str, arguments)],
        env={**os.environ, **locale},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    make_cohort(folder, 2, SIZE)
    return folder


@pytest.fixture
def odd(plain: Path, tmp_path: Path) -> Path:
    """The same patients as a disc: names with everything, no endings, links, nobody may write, a DICOMDIR beside."""
    store, folder = tmp_path / "store", tmp_path / "Größe + 1 (ü)"
    shutil.copytree(plain, store)
    for number, file in enumerate(sorted(store.rglob("*.dcm"))):
        place = folder / f"Patient {file.relative_to(store).parts[0]} ß" / "Schicht + Kontur"
        place.mkdir(parents=True, exist_ok=True)
        target = place / f"IM {number} ä+ö"
        if number % 2:
            target.symlink_to(file)
        else:
            shutil.copy(file, target)
            target.chmod(0o444)
    next(fault for fault in FAULTS if fault.code == "87").make("oblique").write(tmp_path / "disc")
    (tmp_path / "disc" / "DICOMDIR").rename(folder / "DICOMDIR")
    (folder / "LIESMICH.TXT").write_text("Für den Empfänger")
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o555)
    (tmp_path / "link ü").symlink_to(folder)
    return tmp_path / "link ü"


def check_same(out: Path, plain: Path) -> None:
    found, expected = find_cohort(out), find_cohort(plain)
    assert [case.patient for case in found.cases] == [case.patient for case in expected.cases]
    for ours, theirs in zip(found.cases, expected.cases, strict=True):
        volumes = read_channel(ours, "ct"), read_channel(theirs, "ct")
        assert np.array_equal(volumes[0].voxels, volumes[1].voxels)
        masks = read_label(found, ours, volumes[0].grid), read_label(expected, theirs, volumes[1].grid)
        assert np.array_equal(masks[0].voxels, masks[1].voxels)


def list_tree(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.resolve().rglob("*"))


def test_a_disc_with_odd_names_gives_the_same_cohort(odd: Path, plain: Path, tmp_path: Path) -> None:
    before = list_tree(odd)
    done = run("cohort", "export", odd, tmp_path / "Ergebnis ü + 1", "--format", "nnunet")
    assert done.returncode == 0, done.stderr
    check_same(tmp_path / "Ergebnis ü + 1", plain)
    assert list_tree(odd) == before


@pytest.mark.parametrize("locale", [C, ASCII])
def test_names_that_are_no_text_are_read(plain: Path, tmp_path: Path, locale: dict[str, str]) -> None:
    """Bytes of Latin-1 in any locale, and umlauts where the locale has none."""
    name = os.fsdecode(b"Gr\xf6\xdfe") if locale is C else "Größe"
    shutil.copytree(plain, tmp_path / name)
    done = run("cohort", "export", tmp_path / name, tmp_path / "out", "--format", "msd", locale=locale)
    assert done.returncode == 0, done.stderr
    check_same(tmp_path / "out", plain)
    with pytest.raises(InputError, match="can't be written as UTF-8; rename it") if locale is C else nullcontext():
        write_cohort(tmp_path / "cohort.json", find_cohort(tmp_path / name))
    assert (tmp_path / "cohort.json").exists() == (locale is ASCII)


def test_a_zip_is_exported(odd: Path, plain: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "Scans ü"), "zip", odd.resolve()))
    done = run("cohort", "export", archive, tmp_path / "out", "--format", "nnunet")
    assert done.returncode == 0, done.stderr
    assert "are unpacked into a temporary folder" in done.stderr
    check_same(tmp_path / "out", plain)
    with pytest.raises(InputError, match="a zip archive, and its files are needed until training ends; unpack it"):
        find_cohort(archive)


# Not by getrusage, which counts what the process that started it held.
TOLD = """
import atexit, runpy, sys
from medunet.machine import measure_peak_memory
atexit.register(lambda: print(measure_peak_memory(), file=sys.stderr))
runpy.run_module("medunet", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
def test_20000_files_need_little_memory(plain: Path, tmp_path: Path) -> None:
    """Headers of 20,000 slices, and two patients among them that are exported."""
    item = make_scan("oblique").slices[0]
    item.dataset.PatientID, item.dataset.Modality = "PH-0000", "MR"
    folder = Path(shutil.copytree(plain, tmp_path / "tree"))
    for number in range(100):
        (folder / f"{number:03d}").mkdir()
        item.dataset.SeriesInstanceUID = make_uid("series", str(number))
        for k in range(200):
            item.move(item.normal * 2)
            rename(item.dataset, make_uid(str(number), str(k)))
            write_dataset(item.dataset, folder / f"{number:03d}" / f"{k}")
    command = [sys.executable, "-c", TOLD, "cohort", "export", folder, tmp_path / "out"]
    done = subprocess.run([*command, "--format", "nnunet", "--channels", "ct"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    check_same(tmp_path / "out", plain)
    # Measured: 152,000 KiB; a bare `medunet` with numpy, pydicom and nibabel is most of it.
    assert int(done.stderr.split()[-1]) < 300_000 << 10
