import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from medunet.deploy import run_application

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_without_the_sdk_it_names_the_extra(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_application() == 2
    assert "pip install 'medunet[deploy]'" in capsys.readouterr().err


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "notes.txt").write_text("no image")


def rename_modality(folder: Path) -> None:
    for path in (folder / "CT").iterdir():
        dataset = dcmread(path)
        dataset.Modality = "MR"
        dataset.save_as(path)


def truncate(folder: Path) -> None:
    path = min((folder / "CT").iterdir())
    path.write_bytes(path.read_bytes()[:-400])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (empty, "it holds no DICOM image"),
        (rename_modality, "it has no CT series, which channel ct needs; give that scan; there are:"),
        (truncate, "0001.dcm: "),
    ],
)
def test_bad_input_is_one_line_and_no_output(
    run_program: Run,
    application: Path,
    trained: Path,
    patients: list[Path],
    tmp_path: Path,
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    folder = Path(shutil.copytree(patients[0], tmp_path / "p"))
    spoil(folder)
    done = run_program(application, folder, tmp_path / "out", trained)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    # Series to choose from stand below the sentence, a line each.
    *before, last = [line for line in lines if not line.startswith("  ")]
    assert last.startswith("medunet: ")
    assert words in last
    assert not any(line.startswith(("medunet: ", "[error]")) for line in before)
    assert list((tmp_path / "out").iterdir()) == []


def test_no_bundle(run_program: Run, application: Path, patients: list[Path], tmp_path: Path) -> None:
    done = run_program(application, patients[0], tmp_path / "out", patients[1])
    assert done.returncode == 2
    assert "it is no bundle" in done.stderr.strip().splitlines()[-1]
