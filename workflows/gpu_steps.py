"""The steps of `gpu.py`: each does one thing of the path on a device, and gives what it measured.

A step gets where all lies and how large all is, runs in a process of its own, and finds what earlier steps have made in
the folder. Nothing in it asks which device it is, but for what there is to be told of a GPU.
"""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import medunet
from medunet.bundle import Bundle, load_weights, open_bundle, take_recipe
from medunet.geometry import Shape
from medunet.inference import Computing, Predictor, find_scan, open_predictor, predict_scan
from medunet.inference.backends import MeanBackend, TorchBackend
from medunet.labels import Mask
from medunet.machine import count_cores, measure_peak_memory
from medunet.networks import build_network, choose_device, choose_precision, measure_peak_vram
from medunet.planning import Memory
from medunet.testing.phantoms import PhantomSize, make_cohort
from medunet.testing.phantoms.canvas import Triple

Facts = dict[str, Any]
UNLIKE = "voxels unlike those of the CPU"


@dataclass(frozen=True, slots=True)
class Setup:
    """Where all lies, and how large it is.

    Attributes:
        out: folder of everything that steps make.
        shape: voxels of the made-up scans.
        spacing: mm of these.
        patients: of the cohort.
        minutes: of each training.
        vram_gib: that the plan may take of a GPU.
        compiler: of `torch.compile`.
    """

    out: Path
    shape: Shape
    spacing: Triple
    patients: int
    minutes: float
    vram_gib: float
    compiler: str

    @property
    def cohort(self) -> Path:
        """Folder of the patients."""
        return self.out / "cohort"

    @property
    def planned(self) -> Path:
        """The bundle as it was planned."""
        return self.out / "planned"

    @property
    def trained(self) -> Path:
        """The bundle that one process trained."""
        return self.out / "trained"


def describe_machine(_setup: Setup) -> Facts:
    """What computes here."""
    cpu = {"cores": count_cores(), "system": platform.system(), "torch": torch.__version__}
    device = choose_device()
    if device.type == "cpu":
        return {"device": "cpu", "precision": str(choose_precision(device)).removeprefix("torch."), **cpu}
    properties = torch.cuda.get_device_properties(device)
    return {
        "device": properties.name,
        "count": torch.cuda.device_count(),
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "precision": str(choose_precision(device)).removeprefix("torch."),
        **cpu,
    }


def write_cohort(setup: Setup) -> Facts:
    """Made-up patients with lesions, as DICOM."""
    make_cohort(setup.cohort, setup.patients, PhantomSize(setup.shape, setup.spacing))
    return {"patients": setup.patients, "shape": " × ".join(map(str, setup.shape))}


def plan_bundle(setup: Setup) -> Facts:
    """Measure and plan within the memory that is given of a GPU, with steps timed on the device."""
    plan = medunet.init(
        setup.cohort, setup.planned, budget_minutes=setup.minutes, memory=Memory(vram_gib=setup.vram_gib)
    )
    speed = plan.foreseen.speed
    return {
        "patch": " × ".join(map(str, plan.window.patch)),
        "features": " ".join(map(str, plan.network.filters)),
        "batch": plan.training.batch,
        "given_gib": setup.vram_gib,
        "timed_on": speed.device if speed else "",
        "foreseen_gib": plan.foreseen.peak_gib.get("train_vram"),
    }


def train_alone(setup: Setup) -> Facts:
    """Train fold 0 in one process, in half precision where the device has it."""
    shutil.copytree(setup.planned, setup.trained)
    medunet.train(setup.trained)
    return _tell_training(open_bundle(setup.trained))


def _tell_training(bundle: Bundle) -> Facts:
    training = bundle.trained()
    vram = choose_device().type != "cpu"
    stage = "train_vram" if vram else "train"
    taken = training.peak_memory_gib.get(stage)
    steps = training.steps if isinstance(training.steps, int) else sum(training.steps)
    return {
        "steps": steps,
        "seconds_a_step": round(60 * training.minutes / max(1, steps), 3),
        "dice": training.validation_dice,
        "precision": str(choose_precision(choose_device())).removeprefix("torch."),
        "foreseen_gib": bundle.plan.foreseen.peak_gib.get(stage),
        "taken_gib": taken,
    }


def train_ranks(setup: Setup) -> Facts:
    """Train by torchrun: over NCCL by as many processes as there are GPUs, two at most; without one by two over Gloo.

    A GPU for each process is what NCCL needs, so where there is one, two processes are refused, which is tried.
    """
    gpus = torch.cuda.device_count() if choose_device().type != "cpu" else 0
    said = {"refused_two": _is_refused(setup)} if gpus == 1 else {}
    ranks = min(2, gpus) or 2
    bundle = setup.out / "ranks"
    shutil.copytree(setup.planned, bundle)
    done = _start_ranks(bundle, ranks)
    if done.returncode:
        raise RuntimeError(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "torchrun failed")
    return {"processes": ranks, "over": "nccl" if gpus else "gloo", **_tell_training(open_bundle(bundle)), **said}


def _is_refused(setup: Setup) -> bool:
    bundle = setup.out / "refused"
    shutil.copytree(setup.planned, bundle)
    done = _start_ranks(bundle, 2)
    return done.returncode != 0 and "2 processes on 1 GPUs" in done.stdout


def _start_ranks(bundle: Path, ranks: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    return subprocess.run(  # noqa: S603 - our own
        [*command, "-m", "medunet", "train", str(bundle)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def predict_reference(setup: Setup) -> Facts:
    """The mask that others are compared with: by torch on the CPU in float32."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    facts, mask = _predict(open_predictor(open_bundle(setup.trained), computing=Computing(backend="torch")), setup)
    np.save(setup.out / "reference.npy", mask.voxels)
    return facts


def predict_plain(setup: Setup) -> Facts:
    """By torch on the device in float32."""
    return _compare(open_predictor(open_bundle(setup.trained), computing=Computing(backend="torch")), setup)


def predict_fast(setup: Setup) -> Facts:
    """By torch on the device in half precision, with patches that overlap less."""
    return _compare(open_predictor(open_bundle(setup.trained), computing=Computing("fast", "torch")), setup)


def predict_compiled(setup: Setup) -> Facts:
    """By torch on the device in float32, compiled."""
    return _compare(_compile(Computing(backend="torch"), setup), setup)


def predict_compiled_fast(setup: Setup) -> Facts:
    """By torch on the device in half precision, compiled."""
    return _compare(_compile(Computing("fast", "torch"), setup), setup)


def _compile(computing: Computing, setup: Setup) -> Predictor:
    """A predictor whose network `torch.compile` has made its own of, when it first ran."""
    bundle = open_bundle(setup.trained)
    with open_predictor(bundle, computing=computing) as plain:
        recipe, weights, computed = plain.recipe, plain.weights, plain.computed
    network = build_network(recipe.network)
    ((path, wanted),) = take_recipe(bundle)[1].items()
    load_weights(path, network, wanted, recipe.entry)
    device = choose_device()
    precision = choose_precision(device) if computing.preset == "fast" else torch.float32
    backend = MeanBackend(lambda: TorchBackend(device, precision), len(recipe.decision.values))
    compiled: Any = torch.compile(network, backend=setup.compiler, dynamic=False)
    patch = (recipe.task.count_inputs(), *recipe.window.patch)
    return Predictor(recipe, backend.open(compiled, patch, recipe.window.dims), weights, computed)


def _compare(predictor: Predictor, setup: Setup) -> Facts:
    facts, mask = _predict(predictor, setup)
    path = setup.out / "reference.npy"
    if path.is_file():
        facts[UNLIKE] = int(np.count_nonzero(np.load(path) != mask.voxels))
    return facts


def _predict(predictor: Predictor, setup: Setup) -> tuple[Facts, Mask]:
    """Predict a held-out patient twice: the first time kernels are chosen or compiled."""
    plan = open_bundle(setup.trained).plan
    scan = find_scan(sorted(setup.cohort.iterdir())[0], predictor.recipe.task)
    seconds = []
    with predictor:
        for _ in range(2):
            started = time.perf_counter()
            mask = predict_scan(predictor, scan)
            seconds.append(round(time.perf_counter() - started, 2))
    vram = measure_peak_vram()
    stage = "predict" if vram is None else "predict_vram"
    facts = {
        "seconds_first": seconds[0],
        "seconds_second": seconds[1],
        "precision": predictor.computed.precision,
        "found_ml": round(sum(mask.volumes_ml().values()), 2),
        "foreseen_gib": plan.foreseen.peak_gib.get(stage),
        "taken_gib": round(measure_peak_memory() / 2**30 if vram is None else vram, 2),
    }
    return facts, mask


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table.

    Attributes:
        run: does it.
        seconds: after which it is stopped.
        needs: names of steps without which it makes no sense.
    """

    run: Callable[[Setup], Facts]
    seconds: float
    needs: tuple[str, ...] = ()


STEPS = {
    "machine": Step(describe_machine, 60),
    "cohort": Step(write_cohort, 90, ("machine",)),
    "plan": Step(plan_bundle, 120, ("cohort",)),
    "train": Step(train_alone, 210, ("plan",)),
    "predict on the CPU": Step(predict_reference, 120, ("train",)),
    "predict": Step(predict_plain, 60, ("train",)),
    "predict, fast": Step(predict_fast, 60, ("train",)),
    "predict, compiled": Step(predict_compiled, 100, ("train",)),
    "predict, compiled and fast": Step(predict_compiled_fast, 100, ("train",)),
    "train by torchrun": Step(train_ranks, 240, ("plan",)),
}
"""In their order; the longest that nothing needs comes last."""
