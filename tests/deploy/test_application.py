import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from dicoms import change, make_grid, write_series
from plans import make_test_plan
from pydicom import dcmread
from stock import in_float32, measure_dice
from zoo import oriented, write_random_weights, write_zoo_bundle

import medunet
from medunet.bundle import publish_weights, write_bundle
from medunet.cohort import Cohort
from medunet.geometry import Grid
from medunet.measuring import Fingerprint
from medunet.networks import build_network
from medunet.reading import read_segmentation

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_bundle_from_elsewhere_gives_the_labels_of_predict(
    run_program: Run, application: Path, patients: list[Path], tmp_path: Path
) -> None:
    folder = write_zoo_bundle(tmp_path / "models" / "spleen", chain=oriented((7.0, 7.0, 10.0)))
    write_random_weights(folder)
    done = run_program(application, patients[3], tmp_path / "out", tmp_path / "models")
    assert done.returncode == 0, done.stderr
    (made,) = medunet.predict(folder, patients[3], backend="torch")
    assert made.mask.voxels.any()
    seg = tmp_path / "out" / f"{patients[3].name}.seg.dcm"
    assert np.array_equal(read_segmentation(seg, made.mask.grid, made.mask.table).voxels, made.mask.voxels)


def test_labels_equal_those_of_predict(
    run_program: Run, application: Path, trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    """The model folder is that of a container: the bundle lies within it."""
    shutil.copytree(trained, tmp_path / "models" / "bundle")
    done = run_program(application, patients[3], tmp_path / "out", tmp_path / "models")
    assert done.returncode == 0, done.stderr
    assert "highdicom" not in done.stderr
    (made,) = medunet.predict(trained, patients[3], backend="torch")
    assert made.mask.voxels.any()
    name = patients[3].name
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.json", f"{name}.seg.dcm", f"{name}.sr.dcm", "result.json"
    ]  # fmt: skip
    seg = tmp_path / "out" / f"{name}.seg.dcm"
    assert np.array_equal(read_segmentation(seg, made.mask.grid, made.mask.table).voxels, made.mask.voxels)
    algorithm = dcmread(seg).SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == "bundle"


@pytest.fixture
def fused(tmp_path: Path) -> Path:
    """A bundle of CT and PET whose weights are random."""
    plan = make_test_plan(channels=("ct", "pet"))
    cohort = Cohort(channels=plan.task.channels, modalities=plan.task.modalities, labels=plan.task.labels, cases=())
    fingerprint = Fingerprint(cases=(), channels={})
    bundle = write_bundle(tmp_path / "fused", plan, fingerprint, cohort, {})
    torch.manual_seed(3)
    publish_weights(bundle.folder, build_network(bundle.inference["network_def"]).state_dict(), {})
    return bundle.folder


def test_several_channels_on_grids_of_their_own(
    run_program: Run, application: Path, fused: Path, tmp_path: Path
) -> None:
    grid = make_grid("oblique", (40, 36, 12))
    write_series(tmp_path / "p" / "a", grid)
    coarse = np.array(grid.affine)
    coarse[:3, :3] *= 2
    write_series(tmp_path / "p" / "b", Grid((22, 19, 7), coarse))
    change(tmp_path / "p" / "b", lambda dataset, _: setattr(dataset, "Modality", "PT"))
    done = run_program(application, tmp_path / "p", tmp_path / "out", fused)
    assert done.returncode == 0, done.stderr
    (made,) = medunet.predict(fused, tmp_path / "p", backend="torch")
    assert 0.05 < made.mask.voxels.mean() < 0.95
    read = read_segmentation(tmp_path / "out" / "p.seg.dcm", made.mask.grid, made.mask.table)
    assert np.array_equal(read.voxels, made.mask.voxels)


def test_the_stock_operator_runs_a_bundle_of_one_channel(
    run_program: Run, trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    """On square pixels: of others the SDK's loader swaps the spacing."""
    done = run_program(Path(__file__).with_name("stock_app.py"), patients[3] / "CT", tmp_path / "out", trained)
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(tmp_path / "out" / "labels.npy").transpose(2, 1, 0)
    with in_float32():
        (made,) = medunet.predict(trained, patients[3] / "CT", backend="torch")
    ours = made.mask.voxels
    assert ours.any()
    assert measure_dice(found, ours) >= 0.999
