import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydicom import dcmread

import medunet
from medunet.deploy.outcome import EXIT_CODES, Analysis, Outcome, Work, conclude, segment, write_outcome
from medunet.inference import Prediction, Status
from medunet.reading import read_mask


def make_work(source: Path, target: Path, models: Path, **given: str) -> Work:
    return Work(source, target, models, given, "variables")


def read_result(target: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((target / "result.json").read_text())
    return found


def test_labels_are_those_of_predict(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    assert conclude(make_work(patients[0], tmp_path, trained, formats="seg,nifti"), segment) == 0
    (wanted,) = medunet.predict(trained, patients[0])
    found = read_result(tmp_path)
    assert found["status"] == wanted.status == "segmented"
    assert found["files"] == {"seg": f"{patients[0].name}.seg.dcm", "nifti": f"{patients[0].name}.nii.gz"}
    mask = read_mask(tmp_path / found["files"]["nifti"], wanted.mask.grid, wanted.mask.table)
    assert np.array_equal(mask.voxels, wanted.mask.voxels)
    assert found["volumes"] == pytest.approx(wanted.volumes, abs=1e-3)
    assert found["message"] == f"{wanted.mask.table.names[0]} {next(iter(wanted.volumes.values())):.1f} mL"
    assert (found["bundle"], "code" in found) == ("bundle", False)


def test_what_does_not_match_is_no_success(
    trained: Path, patients: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = Path(shutil.copytree(patients[0], tmp_path / "p")), tmp_path / "out"
    assert conclude(make_work(folder, out, trained, series_rules="thickness<0.1"), segment) == 3
    found = read_result(out)
    assert (found["status"], found["code"], found["files"]) == ("nothing matched", "series-unmatched", {})
    assert "name one with MEDUNET_SERIES ct=UID, or give another MEDUNET_SERIES_RULES:\n" in found["message"]
    assert "thickness is " in found["message"]
    assert capsys.readouterr().err.startswith("medunet: nothing matched in ")
    assert conclude(replace(make_work(folder, out, trained, series="1.2.3"), way="options"), segment) == 3
    assert "it has no CT series with the UID 1.2.3" in read_result(out)["message"]
    for path in (folder / "CT").iterdir():
        dataset = dcmread(path)
        dataset.Modality = "MR"
        dataset.save_as(path)
    assert conclude(make_work(folder, out, trained), segment) == 3
    assert (read_result(out)["code"], [path.name for path in out.iterdir()]) == ("channel-missing", ["result.json"])


def test_a_refusal_has_its_code(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    folder, out = Path(shutil.copytree(patients[0], tmp_path / "p")), tmp_path / "out"
    path = min((folder / "CT").iterdir())
    path.write_bytes(path.read_bytes()[:-400])
    works = {
        "file-damaged": make_work(folder, out, trained),
        "option-wrong": make_work(patients[0], out, trained, series_rules="thick<1"),
        "path-missing": make_work(tmp_path / "nowhere", out, trained),
        "bundle-wrong": make_work(patients[0], out, tmp_path),
    }
    said = {}
    for code, work in works.items():
        assert conclude(work, segment) == 2
        found = read_result(out)
        assert (found["status"], found["code"]) == ("refused", code)
        said[code] = found["message"]
    assert path.name in said["file-damaged"]
    assert said["option-wrong"].startswith("MEDUNET_SERIES_RULES 'thick<1': ")
    for given in ({"formats": "sag"}, {"phase": "pet=1"}, {"pet": "mL"}):
        assert conclude(make_work(patients[0], out, trained, **given), segment) == 2
        assert read_result(out)["code"] == "option-wrong"
        assert "--" not in read_result(out)["message"]


def test_a_fault_leaves_no_result_of_an_earlier_run(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    write_outcome(Outcome(status="segmented", message="lesion 3.0 mL"), tmp_path / "out")

    def fail(_analysis: Analysis) -> Prediction:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        conclude(make_work(patients[0], tmp_path / "out", trained), fail)
    assert not any((tmp_path / "out").iterdir())


def test_the_record_is_replaced_and_says_what_mercure_tells(tmp_path: Path) -> None:
    write_outcome(Outcome(status="refused", code="geometry-wrong", message="tilted"), tmp_path / "out")
    told = {"text": "lesion 3.0 mL", "requested": True}
    write_outcome(Outcome(status="segmented", message="lesion 3.0 mL", mercure_notification=told), tmp_path / "out")
    found = read_result(tmp_path / "out")
    assert found["__mercure_notification"] == told
    assert "code" not in found
    assert set(EXIT_CODES) == set(get_args(Status))
