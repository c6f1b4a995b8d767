"""Each style of bundles from elsewhere in every command: check, DICOM SEG, scores, the Deploy application."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cohorts import write_cohort
from zoo import ARGMAX, INVERT, SCALE, UNET, oriented, patches, write_random_weights, write_zoo_bundle
from zoo_styles import SCALE_ALL, SEGRESNET, SIGMOID, STYLES, SWIN

import medunet
from medunet.reading import read_segmentation

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-deploy" / "bin" / "python"
COARSE = oriented((7.0, 7.0, 10.0))
LARGEST = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1, 2]}
EVERY: dict[str, dict[str, Any]] = {
    "spleen": {"chain": COARSE},
    "whole body": {**STYLES["whole body"], "chain": [*COARSE[:4], {**SCALE_ALL, "keys": "image"}]},
    "prostate": {"network": {**UNET, "out_channels": 3}, "chain": COARSE, "post": [ARGMAX, LARGEST, INVERT]},
    "short axis": STYLES["short axis"],
    "swin": {"network": SWIN, "chain": COARSE, "inferer": {**patches(64), "roi_size": [64, 64, 32]}},
    "cropped": {
        "chain": oriented((7.0, 7.0, 10.0), {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"})
    },
    "sigmoid": {
        "network": {**SEGRESNET, "out_channels": 1},
        "chain": [{**SCALE, "b_max": 2} if step == SCALE else step for step in COARSE],
        "post": [SIGMOID, INVERT, {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}],
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("style", EVERY)
def test_a_style_in_every_command(style: str, patients: list[Path], tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "models" / "zoo", **EVERY[style])
    write_random_weights(folder)
    assert not [item for item in medunet.check(folder) if item.severity == "error"]
    (made,) = medunet.predict(folder, patients[3], output=tmp_path / "out", formats=("nifti", "seg", "measures"))
    assert made.status == "segmented"
    seg = read_segmentation(made.files["seg"], made.mask.grid, made.mask.table)
    assert np.array_equal(seg.voxels, made.mask.voxels)
    names = made.mask.table.names[:2]
    cohort = write_cohort(tmp_path / "cohort", names, patients="ab")
    result = medunet.evaluate(folder, cohort=cohort.parent, output=tmp_path / "scores")
    assert all(name in result.table for name in names)
    if not PYTHON.exists():
        pytest.skip("make deploy-env brings the environment of MONAI Deploy")
    program = ROOT / "workflows" / "deploy_app.py"
    command = [PYTHON, program, "-i", patients[3], "-o", tmp_path / "deployed", "-m", tmp_path / "models"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    if style == "swin" and done.returncode:
        assert "medunet[zoo]" in done.stderr, "its environment needs einops, too"
        return
    assert done.returncode == 0, done.stderr
    deployed = tmp_path / "deployed" / f"{patients[3].name}.seg.dcm"
    assert np.array_equal(read_segmentation(deployed, made.mask.grid, made.mask.table).voxels, made.mask.voxels)
    record = json.loads((tmp_path / "deployed" / f"{patients[3].name}.json").read_text())
    assert record["status"] == "segmented"
