import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from one_fold import make_parser, run_fold
from reproduce import reproduce

from medunet.records import write_json


@pytest.fixture
def balls(tmp_path: Path) -> Path:
    """A Decathlon folder of six cases with a bright ball in each, and two folds."""
    folder = tmp_path / "data"
    for place in ("imagesTr", "labelsTr"):
        (folder / place).mkdir(parents=True)
    names = [f"ball_{n}" for n in range(6)]
    for n, name in enumerate(names):
        random = np.random.default_rng(n)
        truth = (((np.indices((24, 24, 24)).T - random.uniform(9, 14, 3)) ** 2).sum(-1).T < 40).astype(np.uint8)
        image = (random.normal(0, 1, truth.shape) + 6 * truth).astype(np.float32)
        for place, voxels in (("imagesTr", image), ("labelsTr", truth)):
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / place / f"{name}.nii.gz")
    training = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
    labels = {"0": "background", "1": "ball"}
    write_json(folder / "dataset.json", {"modality": {"0": "MRI"}, "labels": labels, "training": training})
    write_json(folder / "folds.json", {"0": names[:2], "1": names[2:]})
    return folder


def test_a_fold_is_trained_scored_and_scored_again_from_the_bundle_alone(
    balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    parser = make_parser("a test", "a folder", "unused")
    run_fold(parser.parse_args(["--data", str(balls), "--out", str(out), "--budget", "6s"]))
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if line.startswith("| ")]
    assert table[0].startswith("| ball | medunet: Dice, NSD 2 mm, by voxels | ellipsoid: ")
    assert [line.split(" | ")[0] for line in table[1:]] == ["| ball_0", "| ball_1", "| mean"]
    assert sum("better than" in line for line in lines) == 2
    shipped = Path(shutil.copytree(out / "bundle", tmp_path / "shipped", ignore=shutil.ignore_patterns("work")))
    reproduce(shipped, balls, tmp_path / "again")
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")] == table
