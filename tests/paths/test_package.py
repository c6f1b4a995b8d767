"""A bundle's build folder, whose Dockerfile's own steps are executed in an environment of their own, and run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from stock import measure_dice
from zoo import INVERT, UNET, oriented, write_random_weights, write_zoo_bundle
from zoo_styles import SIGMOID

import medunet
from medunet.reading import read_mask


def run_packaged(folder: Path, *given: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "medunet", "package", "--run", folder, *given]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def measure_folder(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


FOREIGN: dict[str, dict[str, Any]] = {
    "spleen": {"chain": oriented((7.0, 7.0, 10.0))},
    "sigmoid": {
        "network": {**UNET, "out_channels": 1},
        "chain": oriented((7.0, 7.0, 10.0), {"_target_": "DivisiblePadd", "keys": "image", "k": 4}),
        "post": [SIGMOID, INVERT, {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}],
    },
}


@pytest.mark.parametrize("style", ["spleen", pytest.param("sigmoid", marks=pytest.mark.slow)])
def test_a_bundle_from_elsewhere_becomes_a_container_and_its_dicom_seg(
    style: str, patients: list[Path], tmp_path: Path
) -> None:
    """Bundle of the zoo, `package`, the folder's own copy of medunet by its own entry point, SEG read back."""
    bundle, folder, out = tmp_path / "organs", tmp_path / "build", tmp_path / "out"
    write_random_weights(write_zoo_bundle(bundle, **FOREIGN[style]))
    (wanted,) = medunet.predict(bundle, patients[3], backend="torch")
    assert 0 < wanted.mask.voxels.mean() < 1
    subprocess.run([sys.executable, "-m", "medunet", "package", bundle, "-o", folder], check=True)
    shutil.rmtree(bundle)
    assert json.loads((folder / "map" / "pkg.json").read_text())["models"] == [{"name": "organs", "path": "organs/"}]
    environment = {
        "PYTHONPATH": str(folder / "app"),
        "PATH": os.defpath,
        "HOLOSCAN_INPUT_PATH": str(patients[3]),
        "HOLOSCAN_OUTPUT_PATH": str(out),
        "HOLOSCAN_MODEL_PATH": str(folder / "models"),
    }
    command = [sys.executable, folder / "tools"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text())
    assert (result["status"], result["bundle"], {*result["files"]}) == ("segmented", "organs", {"seg", "sr"})
    mask = read_mask(out / result["files"]["seg"], wanted.mask.grid, wanted.mask.table)
    assert measure_dice(mask.voxels, wanted.mask.voxels) >= 0.999
    segments = dcmread(out / result["files"]["seg"]).SegmentSequence
    assert [item.SegmentLabel for item in segments] == list(wanted.mask.table.names)


@pytest.mark.slow
def test_a_packaged_bundle_runs_as_both_images(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some minutes: all packages are installed twice."""
    folder, out = tmp_path / "build", tmp_path / "out"
    (wanted,) = medunet.predict(trained, patients[0])
    subprocess.run([sys.executable, "-m", "medunet", "package", trained, "-o", folder], check=True)
    done = run_packaged(folder, patients[0], out)
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["status"] == wanted.status
    mask = read_mask(out / result["files"]["seg"], wanted.mask.grid, wanted.mask.table)
    assert np.array_equal(mask.voxels, wanted.mask.voxels)
    assert measure_folder(folder / ".run" / "map") < 2e9
    # Nothing but what the image holds is used: neither this environment nor this checkout.
    assert str(Path(medunet.__file__).parent) not in done.stderr
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("no image")
    done = run_packaged(folder, tmp_path / "none", tmp_path / "out2")
    assert done.returncode == 2
    assert json.loads((tmp_path / "out2" / "result.json").read_text())["status"] == "refused"

    source = tmp_path / "in"
    source.mkdir()
    for number, path in enumerate(sorted((patients[0] / "CT").iterdir())):
        shutil.copy(path, source / f"1.2.3#{number}.dcm")
    (source / "task.json").write_text(json.dumps({"process": {"settings": {"formats": "seg"}}}))
    done = run_packaged(folder, source, tmp_path / "out3", "--target", "mercure")
    assert done.returncode == 0, done.stderr
    assert "__mercure_notification" in json.loads((tmp_path / "out3" / "result.json").read_text())
