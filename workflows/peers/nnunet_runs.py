"""nnU-Net's trainings for `compare_nnunet.py`: planned, fitted to the minutes, run, timed; what is finished is kept.

Preparation, planning and probes are outside nnU-Net's minutes, its steps, validation and checkpoints inside.
"""

import glob
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import medunet
from medunet.errors import InputError, ResourceError
from medunet.progress import format_seconds, report
from medunet.records import read_json, write_json

SIDE = Path(__file__).parent / "nnunet_side.py"
DATASET = "Dataset001_cohort"
STOCK = "nnUNetPlans"
SAME = "samePatch"
"""Name of the stock plan with medunet's patch and batch."""
TARGETS_GB = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125)
"""GPU memory targets of the small plan, the largest first; nnU-Net's own is 8."""
STEPS = 2000
"""The small plan is the largest of which so many steps fit the minutes."""
EPOCHS = 40
"""At most; nnU-Net steps its learning rate, validates and may save after each."""
OVERHEAD = 0.02
"""Share of the minutes that pictures and checkpoints at the end of epochs may take, where fewer epochs can help."""
LEAST_EPOCHS = 5
"""So that the learning rate falls at all."""
CHECKS = 0.2
"""Validation steps to a training step: nnU-Net's 50 to 250."""
Job = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One training of nnU-Net.

    Attributes:
        name: for tables.
        plans: name of the plan.
        configuration: of the plan.
        what: its patch, batch, spacing and features.
        minutes: of its epochs.
        steps: iterations.
        prepared: seconds of preprocessing, before the minutes.
    """

    name: str
    plans: str
    configuration: str
    what: Job
    minutes: float
    steps: int
    prepared: float


def fit_schedule(seconds: float, step: float, check: float, epoch: float) -> tuple[int, int]:
    """Epochs and iterations an epoch that take about `seconds`.

    Args:
        seconds: for all epochs.
        step: of a training step.
        check: of a validation step.
        epoch: what the end of an epoch takes beside.
    """
    each = step + CHECKS * check
    steps = max(1, int(seconds / each))
    epochs = max(LEAST_EPOCHS, min(EPOCHS, int(OVERHEAD * seconds / max(epoch, 1e-3)), steps // 4))
    epochs = min(epochs, steps)
    return epochs, max(1, int((seconds / epochs - epoch) / each))


class Peer:
    """nnU-Net in a folder of its own, one job at a time.

    Args:
        python: of the environment that holds nnunetv2.
        folder: for raw data, plans, models and logs.
        fold: whose patients are held out.
        budget_minutes: of each training.
    """

    def __init__(self, python: Path, folder: Path, fold: int, budget_minutes: float) -> None:
        self._python = python
        self._folder = folder
        self._fold = fold
        self._seconds = budget_minutes * 60

    def export(self, cohort: Path) -> None:
        """Write the cohort where nnU-Net looks for it, and measure it."""
        raw = self._folder / "raw" / DATASET
        if not raw.is_dir():
            medunet.export_cohort(cohort, raw, "nnunet")
        self._ask("fingerprint", {})

    def plan(self) -> dict[str, Any]:
        """Plan for all memory targets; the folds are those of the cohort.

        Returns:
            What each configuration of each plan holds, the stock plan first.
        """
        targets = {STOCK: None} | {f"small_{gigabytes:g}GB": gigabytes for gigabytes in TARGETS_GB}
        planned: dict[str, Any] = self._ask("plan", {"targets": targets})
        splits = self._folder / "raw" / DATASET / "splits_final.json"
        write_json(self._folder / "preprocessed" / DATASET / splits.name, read_json(splits))
        return planned

    def choose_small(self) -> str:
        """The plan for the largest memory target of which `STEPS` fit the minutes, or for the least.

        A target whose patch, batch and spacing are those of a larger one, or of the stock plan, is passed over.
        """
        planned = self.plan()
        stock = choose_stock(planned[STOCK])
        self._preprocess(STOCK, stock)
        seen = [_shape(planned[STOCK][stock])]
        name = STOCK
        for plans in list(planned)[1:]:
            configuration = choose_configuration(planned[plans])
            if (shape := _shape(planned[plans][configuration])) in seen:
                continue
            seen.append(shape)
            name = plans
            job = {"do": "time", "plans": plans, "configuration": configuration, "data": f"{STOCK}_{stock}"}
            if self._ask(f"time-{plans}", job, apart=True)["seconds"] * STEPS <= self._seconds:
                break
        return name

    def _preprocess(self, plans: str, configuration: str) -> float:
        """Seconds that it took."""
        job = {"do": "preprocess", "plans": plans, "configuration": configuration}
        answer: dict[str, float] = self._ask(f"preprocess-{plans}-{configuration}", job)
        return answer["seconds"]

    def train(self, name: str, plans: str, configuration: str) -> Run:
        """Preprocess, probe and train.

        Args:
            name: for tables.
            plans: one of `plan`.
            configuration: of it.
        """
        common = {"plans": plans, "configuration": configuration}
        key = f"{plans}-{configuration}"
        prepared = self._preprocess(plans, configuration)
        speed = self._ask(f"probe-{key}", {"do": "probe", **common}, apart=True)
        epochs, iterations = fit_schedule(self._seconds, speed["step"], speed["check"], speed["epoch"])
        job = {"do": "train", "epochs": epochs, "iterations": iterations, **common}
        report(f"nnU-Net, {name}: {epochs} × {iterations} steps, {format_seconds(self._seconds)}", 0, 1)
        done = self._ask(f"train-{key}", job)
        what = self.plan()[plans][configuration]
        return Run(name, plans, configuration, what, done["minutes"], done["steps"], prepared)

    def load(self, patch: Sequence[int], batch: int, seconds: float, again: int) -> float:
        """Patches a second of nnU-Net's loader and augmentation, of its stock plan with another patch and batch.

        Args:
            patch: voxels along x, y, z.
            batch: patches of a step.
            seconds: to measure.
            again: number of the measurement.
        """
        self._preprocess(STOCK, "3d_fullres")
        folder = self._folder / "preprocessed" / DATASET
        plans = read_json(folder / f"{STOCK}.json")
        plans["plans_name"] = SAME
        plans["configurations"]["3d_fullres"] |= {"patch_size": list(reversed(patch)), "batch_size": batch}
        write_json(folder / f"{SAME}.json", plans)
        self._place(f"load-{again}").unlink(missing_ok=True)  # speeds of an earlier run are none of this one
        job = {"do": "load", "plans": SAME, "configuration": "3d_fullres", "seconds": seconds}
        answer: dict[str, float] = self._ask(f"load-{again}", job, apart=True)
        return answer["patches"]

    def predict(self, run: Run, cases: Sequence[str], *, mirror: bool) -> tuple[Path, dict[str, float]]:
        """Predict cases from nnU-Net's files.

        Returns:
            Folder of the masks, and seconds of each case.
        """
        key = f"predict-{run.plans}-{run.configuration}-{'mirrored' if mirror else 'plain'}"
        images = self._folder / "raw" / DATASET / "imagesTr"
        out = self._folder / key
        out.mkdir(exist_ok=True)
        channels = f"_{'[0-9]' * 4}.*"
        files = {case: [str(path) for path in sorted(images.glob(glob.escape(case) + channels))] for case in cases}
        job = {"do": "predict", "plans": run.plans, "configuration": run.configuration, "mirror": mirror}
        return out, self._ask(key, {**job, "out": str(out), "cases": files})

    def _place(self, key: str) -> Path:
        return self._folder / "jobs" / f"{key}.answer.json"

    def _ask(self, key: str, job: Mapping[str, Any], *, apart: bool = False) -> Any:
        """Let nnU-Net do a job, unless it did it before.

        Args:
            key: name of its files.
            job: "do" is the key if not given.
            apart: into results that are thrown away.
        """
        answer = self._place(key)
        if answer.is_file():
            return read_json(answer)
        content = {"do": key, "id": 1, "dataset": DATASET, "fold": self._fold, **job}
        write_json(self._folder / "jobs" / f"{key}.json", content)
        report(f"nnU-Net: {key}", 0, 1)
        started = time.monotonic()
        with TemporaryDirectory() as other:
            results = Path(other) if apart else self._folder / "results"
            self._run(key, answer, results)
        report(f"nnU-Net: {key}", 1, 1, format_seconds(time.monotonic() - started))
        return read_json(answer)

    def _run(self, key: str, answer: Path, results: Path) -> None:
        folders = {"nnUNet_raw": self._folder / "raw", "nnUNet_preprocessed": self._folder / "preprocessed"}
        folders["nnUNet_results"] = results
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        # One core's worth of loaders on two cores, as medunet has.
        loaders = {"nnUNet_n_proc_DA": str(max(1, (os.cpu_count() or 2) - 1))}
        environment = {**os.environ, **{name: str(folder) for name, folder in folders.items()}, **loaders}
        log = self._folder / "jobs" / f"{key}.log"
        command = [str(self._python), str(SIDE), str(answer.with_name(f"{key}.json")), str(answer)]
        with log.open("w", encoding="utf-8") as stream:
            try:
                done = subprocess.run(command, env=environment, stdout=stream, stderr=stream, check=False)  # noqa: S603
            except OSError:
                raise InputError(
                    f"--python {self._python}", "it can't be run", "make it with: make nnunet-env"
                ) from None
        if done.returncode:
            lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
            raise ResourceError(f"nnU-Net's {key}", lines[-1] if lines else "it ended", f"look into {log}")


def _shape(what: Job) -> tuple[Any, ...]:
    return what["patch"], what["batch"], what["spacing"]


def choose_stock(planned: Job) -> str:
    """The configuration of the stock plan: volumes at their own spacing, or pictures."""
    return "3d_fullres" if "3d_fullres" in planned else "2d"


def choose_configuration(planned: Job) -> str:
    """The 3D configuration of a plan, on the coarser grid if nnU-Net plans one since its patch sees too little."""
    return next(name for name in ("3d_lowres", "3d_fullres", "2d") if name in planned)
