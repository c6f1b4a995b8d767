"""One job for nnU-Net, run by the Python of an environment that holds nnunetv2 (`make nnunet-env`); nothing of ours.

    python workflows/peers/nnunet_side.py JOB.json ANSWER.json

`compare_nnunet.py` writes the jobs and says where nnU-Net's three folders are. Everything is nnU-Net's own: planner,
preprocessing, `nnUNetTrainer`, loader, augmentation and predictor. Its trainer is told how many epochs of how many
iterations to run, nothing else.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

Job = dict[str, Any]
TRAINER = "nnUNetTrainer"
MOST_SECONDS = 20.0
"""Of steps that are timed with the loader."""
WAITING = 10
"""Batches that nnU-Net's loader makes beforehand, at most."""
PREPROCESSED, RESULTS = "nnUNet_preprocessed", "nnUNet_results"
"""Variables that nnU-Net takes its folders from."""


def main() -> int:
    """Do the job and write the answer."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer = JOBS[job["do"]](job)
    target = Path(sys.argv[2])
    part = target.with_suffix(".part")
    part.write_text(json.dumps(answer, indent=1), encoding="utf-8")
    part.replace(target)
    return 0


def fingerprint(job: Job) -> Job:
    """Measure the data set."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints

    extract_fingerprints([job["id"]], num_processes=_count_cores(), show_progress_bar=False)
    return {}


def plan(job: Job) -> Job:
    """Plan: nnU-Net's stock plan, and one for each memory target.

    Returns:
        For each plan, patch, batch, spacing and features of each of its configurations.
    """
    from nnunetv2.experiment_planning.plan_and_preprocess_api import plan_experiments

    found = {}
    for name, gigabytes in job["targets"].items():
        extra = {"gpu_memory_target_in_gb": gigabytes, "overwrite_plans_name": name} if gigabytes else {}
        plan_experiments([job["id"]], **extra)
        path = Path(os.environ[PREPROCESSED]) / job["dataset"] / f"{name}.json"
        configurations = json.loads(path.read_text(encoding="utf-8"))["configurations"]
        found[name] = {key: _describe(configurations, key) for key in configurations}
    return found


def _describe(configurations: Job, name: str) -> Job:
    content = configurations[name]
    if "inherits_from" in content:
        content = {**configurations[content["inherits_from"]], **content}
    network = content["architecture"]["arch_kwargs"]
    return {
        "patch": content["patch_size"],
        "batch": content["batch_size"],
        "spacing": content["spacing"],
        "features": network["features_per_stage"],
    }


def preprocess(job: Job) -> Job:
    """Preprocess one configuration of a plan."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import preprocess as run

    started = time.monotonic()
    run([job["id"]], job["plans"], (job["configuration"],), (_count_cores(),), show_progress_bar=False)
    return {"seconds": time.monotonic() - started}


def time_step(job: Job) -> Job:
    """Seconds of one training step on random patches: the fastest of up to five after the first."""
    import torch

    trainer = _open_trainer(job)
    # It looks for data when it builds the network; that of another plan will do where none is read.
    trainer.preprocessed_dataset_folder = str(Path(os.environ[PREPROCESSED]) / job["dataset"] / job["data"])
    trainer.initialize()
    trainer.network.train()
    size, batch = trainer.configuration_manager.patch_size, trainer.configuration_manager.batch_size
    random = torch.Generator().manual_seed(0)
    scales = trainer._get_deep_supervision_scales() or [[1.0] * len(size)]
    image = torch.randn((batch, trainer.num_input_channels, *size), generator=random)
    target = [
        (torch.rand((batch, 1, *(round(n * s) for n, s in zip(size, scale, strict=True))), generator=random) > 0.9)
        for scale in scales
    ]
    patches = {"data": image, "target": [level.short() for level in target]}
    times = _time(lambda: trainer.train_step(patches), least=2, most=6, seconds=6.0)
    return {"seconds": min(times[1:])}


def probe(job: Job) -> Job:
    """Seconds of a training step and a validation step with nnU-Net's loader, and of what else an epoch takes."""
    trainer = _open_trainer(job)
    trainer.num_epochs = 1
    trainer.on_train_start()
    trainer.on_epoch_start()
    trainer.on_train_epoch_start()
    results: list[Any] = []
    times = _time(lambda: results.append(trainer.train_step(next(trainer.dataloader_train))), 3, 1000, MOST_SECONDS)
    trainer.on_train_epoch_end(results)
    validated: list[Any] = []
    checks = _validate(trainer, validated)
    started = time.perf_counter()
    trainer.on_validation_epoch_end(validated)
    trainer.on_epoch_end()
    seconds = time.perf_counter() - started
    trainer.current_epoch = 1
    trainer.on_train_end()
    # The first steps find batches that waited for them; the later half shows whether the loader keeps up.
    return {"step": mean(times[len(times) // 2 :]), "check": mean(checks[1:]), "epoch": seconds, "steps": len(times)}


def _validate(trainer: Any, results: list[Any]) -> list[float]:
    import torch

    with torch.no_grad():
        trainer.on_validation_epoch_start()
        return _time(lambda: results.append(trainer.validation_step(next(trainer.dataloader_val))), 2, 6, 5.0)


def _time(action: Callable[[], Any], least: int, most: int, seconds: float) -> list[float]:
    """Seconds of each call; calls until the seconds have passed, within the numbers given."""
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < least or (len(times) < most and time.perf_counter() - started < seconds):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return times


def train(job: Job) -> Job:
    """Train `epochs` of `iterations`, going on from the latest checkpoint of an interrupted run."""
    from nnunetv2.run.run_training import maybe_load_checkpoint

    folder = Path(os.environ[RESULTS]) / job["dataset"] / _name_model(job) / f"fold_{job['fold']}"
    resume = any((folder / f"checkpoint_{name}.pth").is_file() for name in ("latest", "final"))
    trainer = _open_trainer(job, resume=resume)
    trainer.num_epochs = job["epochs"]
    trainer.num_iterations_per_epoch = job["iterations"]
    # nnU-Net's own share: 50 validation steps to 250 of training.
    trainer.num_val_iterations_per_epoch = max(1, round(job["iterations"] / 5))
    trainer.save_every = max(1, job["epochs"] // 10)
    maybe_load_checkpoint(trainer, resume, validation_only=False)
    trainer.run_training()
    ends = trainer.logger.get_value("epoch_end_timestamps", step=None)
    starts = trainer.logger.get_value("epoch_start_timestamps", step=None)
    seconds = sum(end - start for start, end in zip(starts, ends, strict=True))
    return {"minutes": seconds / 60, "steps": job["epochs"] * job["iterations"]}


def load(job: Job) -> Job:
    """Patches a second of nnU-Net's training loader, for `seconds` after those that waited."""
    trainer = _open_trainer(job)
    trainer.initialize()  # it is this that sets the batch
    loader, other = trainer.get_dataloaders()
    for _ in range(WAITING):
        next(loader)
    times = _time(lambda: next(loader), 2, 1_000_000, job["seconds"])
    for started in (loader, other):
        started._finish()
    return {"patches": trainer.batch_size * len(times) / sum(times)}


def predict(job: Job) -> Job:
    """Predict cases by nnU-Net's predictor, one after the other in this process.

    Returns:
        Seconds of each case, from reading to writing.
    """
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    model = Path(os.environ[RESULTS]) / job["dataset"] / _name_model(job)
    predictor = nnUNetPredictor(use_mirroring=job["mirror"], device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(model), (job["fold"],), "checkpoint_final.pth")
    seconds = {}
    for case, files in job["cases"].items():
        started = time.perf_counter()
        predictor.predict_from_files_sequential([files], [str(Path(job["out"]) / case)])
        seconds[case] = time.perf_counter() - started
    return seconds


def _open_trainer(job: Job, *, resume: bool = False) -> Any:
    import torch
    from nnunetv2.run.run_training import get_trainer_from_args

    arguments = (job["dataset"], job["configuration"], job["fold"], TRAINER, job["plans"], resume)
    return get_trainer_from_args(*arguments, device=torch.device("cpu"))


def _name_model(job: Job) -> str:
    return f"{TRAINER}__{job['plans']}__{job['configuration']}"


def _count_cores() -> int:
    return len(os.sched_getaffinity(0))


JOBS: dict[str, Callable[[Job], Job]] = {
    "fingerprint": fingerprint,
    "plan": plan,
    "preprocess": preprocess,
    "time": time_step,
    "probe": probe,
    "train": train,
    "load": load,
    "predict": predict,
}

if __name__ == "__main__":
    sys.exit(main())
