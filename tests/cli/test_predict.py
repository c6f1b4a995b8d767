import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import run
from dicoms import change
from PIL import Image
from pydicom import Dataset

from medunet.bundle import publish_weights


def test_predict_by_name_of_the_channel(
    trained: Path,
    patients: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "predict", trained, "--image", f"ct={patients[0] / 'CT'}", "-o", tmp_path) == 0
    assert "CT.nii.gz: lesion" in capsys.readouterr().out


def test_a_phase_is_chosen(
    trained: Path,
    patients: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in (1, 2):
        shutil.copytree(patients[0] / "CT", tmp_path / "CT" / str(number))

        def edit(dataset: Dataset, k: int, number: int = number) -> None:
            dataset.SOPInstanceUID = f"1.2.{number}.{k}"
            dataset.AcquisitionNumber = number

        change(tmp_path / "CT" / str(number), edit)
    assert run(monkeypatch, "predict", trained, tmp_path / "CT", "-o", tmp_path / "out") == 2
    assert "choose one with --phase" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(monkeypatch, "predict", trained, tmp_path / "CT", "-o", tmp_path / "out", "--phase", "ct=2") == 0
    assert "CT.nii.gz: lesion" in capsys.readouterr().out


def test_what_was_assumed_is_in_the_record(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(patients[0] / "CT", tmp_path / "CT")

    def forget(dataset: Dataset, _: int) -> None:
        del dataset.RescaleSlope, dataset.RescaleIntercept

    change(tmp_path / "CT", forget)
    arguments = ("predict", trained, tmp_path / "CT", "-o", tmp_path / "out")
    assert run(monkeypatch, *arguments) == 2
    assert run(monkeypatch, *arguments, "--assume-rescale", "1,-1024") == 0
    (note,) = json.loads((tmp_path / "out" / "CT.json").read_text())["notes"]
    assert note == f"{tmp_path / 'CT'}: HU by the given slope and intercept, (1.0, -1024.0)"


def test_a_segmentation_of_nothing_is_told(
    trained: Path,
    patients: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = Path(shutil.copytree(trained, tmp_path / "bundle"))
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    # Only background is left of a network whose last layer never sees the lesion.
    (bias,) = (key for key, value in state.items() if key.endswith("bias") and value.shape == (2,))
    state[bias] = torch.tensor([0.0, -1e9])
    publish_weights(bundle, state, {})
    scan = patients[0] / "CT"
    assert run(monkeypatch, "predict", bundle, scan, "-o", tmp_path / "a", "--format", "seg") == 0
    assert "CT: nothing was found; the SEG is valid and empty" in capsys.readouterr().out
    assert run(monkeypatch, "predict", bundle, scan, "-o", tmp_path / "b", "--format", "seg", "--no-empty-seg") == 0
    assert "CT: nothing was found; no SEG is written" in capsys.readouterr().out
    endings = ["CT.json", "CT.measures.csv", "CT.measures.json"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [*endings, "CT.seg.dcm"]
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == endings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no scan is given"),
        (("--image", "ct"), "it is not NAME=PATH"),
        (("--image", "ctt=x"), "did you mean 'ct'"),
        (("--image", "ct=.", "--format", "nifty"), "there is no such format; did you mean 'nifti'?"),
    ],
)
def test_scans_that_are_none(
    trained: Path,
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "predict", trained, *arguments) == 2
    assert words in capsys.readouterr().err


def test_refusals_that_repeat_are_counted_and_take_no_memory(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{number}.png")
    said = "it is a picture, but the bundle takes images with a physical size"
    remedy = "give the scan as DICOM, NIfTI, NRRD or MHA, or take another bundle."
    pictures, empty = sorted(tmp_path.glob("*.png")), tmp_path / "empty"
    empty.mkdir()
    assert run(monkeypatch, "predict", trained, *pictures, empty, "-o", tmp_path / "out") == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        *(f"refused: size-differs  {path}: {said}; {remedy}" for path in pictures[:3]),
        "                       … and 2 more, refused alike",
        f"refused: path-missing  {empty}: it is empty; give a file, or the folder of a series or a patient.",
        "0 segmented, 0 with nothing found, 6 refused",
    ]


def test_a_zip_of_a_series_is_predicted(
    trained: Path,
    patients: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.make_archive(str(tmp_path / "a b"), "zip", patients[0], "CT")
    assert run(monkeypatch, "predict", trained, tmp_path / "a b.zip", "-o", tmp_path / "out") == 0
    assert "are unpacked into a temporary folder" in capsys.readouterr().err
    assert (tmp_path / "out" / "a b.nii.gz").is_file()
