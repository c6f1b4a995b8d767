import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import UID

import medunet
from medunet.deploy import run_application
from medunet.deploy.outcome import EXIT_CODES
from medunet.deploy.run import take_work
from medunet.inference import Status
from medunet.reading import read_mask, read_segmentation

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_without_the_sdk_it_names_the_extra(
    trained: Path, patients: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["-i", str(patients[0]), "-o", str(tmp_path / "out"), "-m", str(trained)]
    assert run_application(given) == 2
    assert "pip install 'medunet[deploy]'" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "result.json").read_text())["code"] == "extra-missing"


def test_options_count_before_variables_and_the_sdk_gets_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    work, further = take_work([], {})
    assert (str(work.source), str(work.target), str(work.models), further) == ("input", "output", "models", [])
    assert (work.list_settings(), work.way) == ({}, "options")
    environment = {"HOLOSCAN_INPUT_PATH": "/a", "MEDUNET_FORMATS": "sr", "MEDUNET_SERIES_RULES": "plane=axial"}
    given = ["-o", "b", "--format", "seg,nifti", "--format", "sr", "-l", "DEBUG"]
    work, further = take_work(given, environment)
    assert (str(work.source), str(work.target), further) == ("/a", "b", ["--log-level=DEBUG"])
    assert work.list_settings() == {"formats": ("seg", "nifti", "sr"), "series_rules": ("plane=axial",)}
    for wrong in (["--formats", "seg"], ["scan"]):
        with pytest.raises(SystemExit) as caught:
            take_work(wrong, {})
        assert caught.value.code == 2
    assert "unrecognized arguments: --formats" in capsys.readouterr().err


def test_it_writes_the_formats_that_are_named(
    run_program: Run, application: Path, trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run_program(application, patients[3], out, trained, "--format", "seg-labelmap,rtstruct,nifti,probabilities")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith("medunet: segmented in ")
    result = json.loads((out / "result.json").read_text())
    assert (result["status"], {*result["files"]}) == (
        "segmented", {"seg-labelmap", "rtstruct", "nifti", "probabilities"}
    )  # fmt: skip
    assert {path.name for path in out.iterdir()} == {
        "result.json",
        f"{patients[3].name}.json",
        *result["files"].values(),
    }
    (made,) = medunet.predict(trained, patients[3], backend="torch")
    assert made.mask.voxels.any()
    read = read_segmentation(out / result["files"]["seg-labelmap"], made.mask.grid, made.mask.table)
    assert np.array_equal(read.voxels, made.mask.voxels)
    for name in ("rtstruct", "nifti"):
        read = read_mask(out / result["files"][name], made.mask.grid, made.mask.table)
        assert np.array_equal(read.voxels, made.mask.voxels)


def test_a_rule_chooses_where_several_match(
    run_program: Run, application: Path, trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    folder, out = Path(shutil.copytree(patients[0], tmp_path / "p")), tmp_path / "out"
    shutil.copytree(folder / "CT", folder / "thin")
    for number, path in enumerate((folder / "thin").iterdir()):
        dataset = dcmread(path)
        dataset.SeriesInstanceUID = UID("1.2.3.4")
        dataset.SliceThickness = 0.5
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.4.{number + 1}")
        dataset.save_as(path)
    done = run_program(application, folder, out, trained)
    assert done.returncode == 3
    result = json.loads((out / "result.json").read_text())
    assert (result["status"], result["code"]) == ("nothing matched", "channel-ambiguous")
    assert "name one with --series ct=UID, or say which with --series-rule:" in done.stderr
    assert "--image" not in done.stderr
    done = run_program(application, folder, out, trained, "--series-rule", "prefer=thinnest")
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "p.json").read_text())["images"]["ct"]["series_uid"] == "1.2.3.4"


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
    ("spoil", "wanted"),
    [
        (empty, ("refused", "it holds no DICOM image")),
        (rename_modality, ("nothing matched", "it has no CT series, which channel ct needs; give that scan; there")),
        (truncate, ("refused", "0001.dcm: ")),
        (shutil.rmtree, ("refused", "p: ")),
    ],
)
def test_bad_input_is_one_line_and_a_result(
    run_program: Run,
    application: Path,
    trained: Path,
    patients: list[Path],
    tmp_path: Path,
    spoil: Callable[[Path], None],
    wanted: tuple[Status, str],
) -> None:
    folder = Path(shutil.copytree(patients[0], tmp_path / "p"))
    spoil(folder)
    status, words = wanted
    done = run_program(application, folder, tmp_path / "out", trained)
    assert done.returncode == EXIT_CODES[status]
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    # Series to choose from stand below the sentence, a line each.
    *before, last = [line for line in lines if not line.startswith("  ")]
    assert last.startswith(f"medunet: {status} in ")
    assert words in last
    assert not any(line.startswith(("medunet: ", "[error]")) for line in before)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["result.json"]
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["status"], words in result["message"]) == (status, True)


def test_no_bundle(run_program: Run, application: Path, patients: list[Path], tmp_path: Path) -> None:
    done = run_program(application, patients[0], tmp_path / "out", patients[1])
    assert done.returncode == 2
    assert "it is no bundle" in done.stderr.strip().splitlines()[-1]
