"""Small plans and schedules for tests."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from medunet.bundle import write_bundle
from medunet.cohort import Case, Channel, Cohort, LabelSource
from medunet.labels import LabelTable
from medunet.measuring import Fingerprint
from medunet.planning import GridPlan, NetworkPlan, Normalization, Plan, TrainingPlan, WindowPlan
from medunet.records import write_json
from medunet.task import Task
from medunet.training import CONFIGS


def make_test_plan(dims: int = 3, channels: tuple[str, ...] = ("ct",)) -> Plan:
    """A plan of a tiny network: two poolings, 4 features, patches of 16 voxels an axis."""
    modalities = {"ct": "CT", "pet": "PT", "mr": "MR"}
    flat = dims == 2
    stride, kernel = ((2, 2, 1), (3, 3, 1)) if flat else ((2, 2, 2), (3, 3, 3))
    fixed, each = Normalization(kind="fixed", low=-200, high=300, mean=60, sd=80), Normalization(kind="each")
    return Plan(
        task=Task(
            channels=channels,
            modalities={name: modalities[name] for name in channels},
            labels=LabelTable.from_names(["lesion"]),
        ),
        grid=GridPlan(
            spacing_mm=(3.0, 3.0, 5.0),
            normalization={name: each if name == "mr" else fixed for name in channels},
        ),
        network=NetworkPlan(
            dims=dims,  # type: ignore[arg-type]
            filters=(4, 8, 16),
            strides=((1, 1, 1), stride, stride),
            kernels=(kernel,) * 3,
            heads=1,
        ),
        window=WindowPlan(patch=(16, 16, 1) if flat else (16, 16, 16)),
        training=TrainingPlan(batch=2, learning_rate=1e-3, budget_minutes=0.2),
        reasons={"patch": "small"},
    )


def write_test_bundle(folder: Path, plan: Plan) -> Path:
    """An untrained bundle of a plan, without cases."""
    task = plan.task
    cohort = Cohort(channels=task.channels, modalities=task.modalities, labels=task.labels, cases=())
    return write_bundle(folder, plan, Fingerprint(cases=(), channels={}), cohort, CONFIGS).folder


def pin_schedule(bundle: Path, epochs: int, steps_per_epoch: int, fold: int = 0) -> None:
    """Fix what a run of a fold does, whatever the speed of the machine."""
    steps = {"epochs": epochs, "steps_per_epoch": steps_per_epoch, "validation_interval": epochs}
    rates = {"seconds_per_step": 1.0, "loader_patches_per_second": 1.0, "network_patches_per_second": 1.0}
    write_json(bundle / "work" / f"fold{fold}" / "schedule.json", {**steps, **rates, "budget_seconds": 6000.0})


def stop_training(bundle: Path, *options: str, limit: float) -> tuple[int, str]:
    """Exit code and output of `medunet train`, all of whose processes get a SIGTERM at the first checkpoint of fold 0.

    Args:
        bundle: whose training lasts longer.
        options: of the command.
        limit: seconds for the checkpoint to come, and for the command to end.
    """
    command = [sys.executable, "-m", "medunet", "train", str(bundle), *options]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        deadline = time.monotonic() + limit
        while not any((bundle / "work" / "fold0").glob("checkpoint-*.pt")):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGTERM)
        output, _ = run.communicate(timeout=limit)
    finally:
        run.kill()
    return run.returncode, output


def make_tiny_bundle(folder: Path, patients: str) -> Path:
    """An untrained bundle of the test plan and a patient a letter, with shining boxes; two folds of patients."""
    plan, random = make_test_plan(), np.random.default_rng(len(patients))
    images = folder.with_name(f"{folder.name}.scans")
    images.mkdir(parents=True)
    cases = []
    for name in patients:
        label = np.zeros((32, 32, 16), np.uint8)
        i, j = random.integers(4, 20, 2)
        label[i : i + 8, j : j + 8, 5:11] = 1
        voxels = (random.normal(0, 40, label.shape) + 220 * label).astype(np.int16)
        paths = {}
        for kind, array in (("ct", voxels), ("label", label)):
            paths[kind] = str(images / f"{name}_{kind}.nii.gz")
            nib.save(nib.Nifti1Image(array, np.diag([3.0, 3.0, 5.0, 1.0])), paths[kind])
        source = LabelSource(path=paths["label"])
        cases.append(Case(id=name, patient=name, channels={"ct": Channel(path=paths["ct"])}, label=source))
    half = len(patients) // 2
    cohort = Cohort(
        channels=plan.task.channels,
        modalities=plan.task.modalities,
        labels=plan.task.labels,
        cases=tuple(cases),
        folds=(tuple(patients[:half]), tuple(patients[half:])),
    )
    return write_bundle(folder, plan, Fingerprint(cases=(), channels={}), cohort, CONFIGS).folder
