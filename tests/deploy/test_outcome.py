import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

import medunet
from medunet.deploy.outcome import EXIT_CODES, Outcome, segment, write_outcome
from medunet.errors import BundleError
from medunet.reading import read_mask


def test_labels_are_those_of_predict(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    found = segment(patients[0], tmp_path, trained, ("seg", "nifti"))
    (wanted,) = medunet.predict(trained, patients[0])
    assert (found.status, found.exit_code) == (wanted.status, 0)
    assert found.files == {"seg": f"{patients[0].name}.seg.dcm", "nifti": f"{patients[0].name}.nii.gz"}
    mask = read_mask(tmp_path / found.files["nifti"], wanted.mask.grid, wanted.mask.table)
    assert np.array_equal(mask.voxels, wanted.mask.voxels)
    assert found.volumes == pytest.approx(wanted.volumes, abs=1e-3)
    assert found.message == f"{wanted.mask.table.names[0]} {next(iter(wanted.volumes.values())):.1f} mL"


def test_what_does_not_match_is_no_success(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(patients[0], tmp_path / "p"))
    for path in (folder / "CT").iterdir():
        dataset = dcmread(path)
        dataset.Modality = "MR"
        dataset.save_as(path)
    found = segment(folder, tmp_path / "out", trained, ("seg",))
    assert (found.status, found.code, found.exit_code) == ("nothing matched", "channel-missing", 3)
    assert "MR" in found.message
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_a_refusal_has_its_code(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(patients[0], tmp_path / "p"))
    path = min((folder / "CT").iterdir())
    path.write_bytes(path.read_bytes()[:-400])
    found = segment(folder, tmp_path / "out", trained, ("seg",))
    assert (found.status, found.exit_code) == ("refused", 2)
    assert found.code is not None
    assert path.name in found.message
    found = segment(patients[0], tmp_path / "out", trained, ("seg",), ("thickness<0.1",))
    assert (found.status, found.exit_code) == ("nothing matched", 3)
    assert "thickness" in found.message
    assert segment(patients[0], tmp_path / "out", trained, ("seg",), ("thick<1",)).status == "refused"
    assert segment(patients[0], tmp_path / "out", trained, ("sag",)).code == "option-wrong"
    with pytest.raises(BundleError):
        segment(patients[0], tmp_path / "out", tmp_path, ("seg",))


def test_the_record_is_replaced_and_says_what_mercure_tells(tmp_path: Path) -> None:
    write_outcome(Outcome(status="refused", code="geometry-wrong", message="tilted"), tmp_path / "out")
    told = {"text": "lesion 3.0 mL", "requested": True}
    write_outcome(Outcome(status="segmented", message="lesion 3.0 mL", mercure_notification=told), tmp_path / "out")
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    assert found["__mercure_notification"] == told
    assert "code" not in found
    assert set(EXIT_CODES) == set(Outcome.model_fields["status"].annotation.__args__)
