"""Predict scans on a Ray cluster: the same jobs as on one machine, each given to a worker that keeps its predictor.

Ray schedules, starts processes again and moves results; nothing of that is ours. Every node needs medunet, and the
paths of bundle, scans and output are the same at all of them.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from medunet.bundle import adjust_recipe, open_any_bundle
from medunet.errors import MedunetError, ResourceError, name_fault
from medunet.extras import load_extra
from medunet.inference.computing import EXACT, Computing
from medunet.inference.inputs import Input
from medunet.inference.jobs import Wanted, run_jobs
from medunet.inference.maker import Maker, make_maker
from medunet.inference.results import Prediction, Refusal
from medunet.machine import count_cores
from medunet.progress import track

AUTO = "auto"
"""In place of an address: the cluster that runs here, else one of the cores of this machine."""
STORE = 2**28
"""Bytes of the memory through which a cluster that is started here hands over jobs and results."""


@dataclass(frozen=True, slots=True)
class Setup:
    """By what a worker makes its predictor.

    Attributes:
        bundle: its folder, on every node.
        trust: as of `open_any_bundle`.
        decisions: keywords of `adjust_recipe`.
        computing: how the network is computed.
    """

    bundle: Path
    trust: bool = False
    decisions: Mapping[str, Any] = field(default_factory=dict)
    computing: Computing = EXACT

    def make(self) -> Maker:
        """What predicts.

        Raises:
            MedunetError: the bundle can't be used.
        """
        adjust = partial(adjust_recipe, **self.decisions) if self.decisions else None
        return make_maker(open_any_bundle(self.bundle, trust=self.trust), adjust, self.computing)


def run_on_cluster(
    inputs: Sequence[Input], wanted: Wanted, setup: Setup, address: str = AUTO, peak_gib: float | None = None
) -> Iterator[Prediction | Refusal]:
    """Predict scans by the workers of a Ray cluster, one core and one predictor each, or a GPU where there are some.

    A worker that dies, killed for its memory perhaps, has its job tried once more by another one.

    Args:
        inputs: from `list_inputs`.
        wanted: what shall become of each.
        setup: by what each worker makes its predictor.
        address: of the cluster, as `ray.init` takes it; "auto" for the one of this machine, which is started for as
            long as this runs where there is none.
        peak_gib: memory that a job takes, where it is known: a node gets no more jobs at once than fit.

    Yields:
        What came of each input, in their order, as soon as it and all before it are there.

    Raises:
        ExtraError: Ray isn't installed.
        ResourceError: there is no such cluster.
    """
    ray = load_ray()
    with _connect(ray, address):
        kind = {"num_gpus": 1} if ray.cluster_resources().get("GPU") else {"num_cpus": 1}
        memory = {"memory": int(peak_gib * 2**30)} if peak_gib else {}
        work = ray.remote(max_retries=1, **kind, **memory)(_work)
        shared = ray.put((setup, wanted))
        tasks = [work.remote(item, shared) for item in inputs]
        try:
            for item, task in track(list(zip(inputs, tasks, strict=True)), "predicting", len(tasks)):
                yield _take(ray, item, task)
        finally:
            for task in tasks:
                ray.cancel(task)


def load_ray() -> Any:
    """Import Ray, which then tells nobody how it is used.

    Raises:
        ExtraError: it isn't installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    return load_extra("ray", "--ray")


@contextmanager
def _connect(ray: Any, address: str) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address != AUTO:
            remedy = "start one with ray start --head, or leave the address to --ray auto"
            raise ResourceError(
                f"--ray {address}",
                f"no Ray cluster answers there ({name_fault(error)})",
                remedy,
                code="cluster-missing",
            ) from error
        ray.init(address="local", num_cpus=count_cores(), include_dashboard=False, object_store_memory=STORE, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def _take(ray: Any, item: Input, task: Any) -> Prediction | Refusal:
    try:
        made: Prediction | Refusal = ray.get(task)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError) as error:
        found, remedy = f"its worker died twice ({name_fault(error)})", "predict it alone, with more memory"
        return Refusal(item.id, item.source, ResourceError(item.source, found, remedy, code="worker-died"))
    except ray.exceptions.RayError as error:
        found, remedy = f"a worker can't do it ({name_fault(error)})", "install the same medunet at every node"
        return Refusal(item.id, item.source, ResourceError(item.source, found, remedy, code="worker-died"))
    return made


def _work(item: Input, shared: tuple[Setup, Wanted]) -> Prediction | Refusal:
    """Do one job in a worker."""
    setup, wanted = shared
    try:
        maker = keep_maker(setup)
    except MedunetError as error:
        return Refusal(item.id, item.source, error)
    (found,) = run_jobs([item], wanted, maker)
    return found


_KEPT: dict[str, Maker] = {}


def keep_maker(setup: Setup) -> Maker:
    """What predicts by a setup: made once in a process, and kept until it is asked for by another one.

    Raises:
        MedunetError: the bundle can't be used.
    """
    key = repr(setup)
    if key not in _KEPT:
        _KEPT.clear()
        _KEPT[key] = setup.make()
    return _KEPT[key]
