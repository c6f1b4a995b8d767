import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import medunet
from medunet.errors import ExtraError
from medunet.inference import Scan, list_inputs, run_jobs
from medunet.inference.cluster import Setup, keep_maker, load_ray, run_on_cluster
from medunet.inference.inputs import Input
from medunet.inference.jobs import Wanted
from medunet.inference.results import Prediction, Refusal
from medunet.writing import find_usual


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Any]:
    ray = load_ray()
    where = {"PYTHONPATH": os.pathsep.join([str(Path(medunet.__file__).parents[1]), *sys.path])}
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
    ray.init(address="local", num_cpus=2, object_store_memory=2**27, runtime_env={"env_vars": where}, **quiet)
    yield ray
    ray.shutdown()


def die(mark: Path) -> Scan:
    """Kill the process that looks for this scan, and leave a trace of it."""
    with mark.open("a") as stream:
        stream.write("died\n")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


@pytest.mark.slow
def test_the_cluster_gives_what_one_machine_gives(
    two_workers: Any, trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    """Same masks, order, table and refusals; a worker that dies costs its own scan alone; a second run goes on."""
    setup, mark = Setup(trained), tmp_path / "mark"
    task = setup.make().recipe.task
    first, second, lost = list_inputs([patients[1], patients[0], tmp_path / "nowhere"], task)
    deadly = Input("deadly", tmp_path, "deadly", partial(die, mark))
    wanted = Wanted((find_usual("mm"),), tmp_path / "out")
    found = list(run_on_cluster([first, deadly, lost, second], wanted, setup))
    assert [item.id for item in found] == [patients[1].name, "deadly", "nowhere", patients[0].name]
    assert [item.status for item in found if isinstance(item, Refusal)] == [
        "refused: worker-died",
        "refused: path-missing",
    ]
    assert mark.read_text() == "died\n" * 2, "it is tried once more"
    again = list(run_on_cluster([first, second], wanted, setup))
    assert all(isinstance(item, Prediction) and item.kept for item in again)
    here = Wanted((find_usual("mm"),), tmp_path / "here")
    for far, near in zip(again, run_jobs([first, second], here, setup.make()), strict=True):
        assert isinstance(far, Prediction)
        assert isinstance(near, Prediction)
        assert far.volumes == near.volumes
        assert np.array_equal(far.mask.voxels, near.mask.voxels)
        assert far.measures == near.measures


def test_a_worker_keeps_one_predictor(trained: Path) -> None:
    kept = keep_maker(Setup(trained))
    assert keep_maker(Setup(trained)) is kept
    assert keep_maker(Setup(trained, decisions={"smallest": 1.0})) is not kept


@pytest.mark.slow
def test_ray_tells_nobody(two_workers: Any) -> None:
    """Neither we nor the programs that it starts send statistics of use."""
    from ray._common.usage import usage_lib

    assert usage_lib._usage_stats_enabledness() is usage_lib.UsageStatsEnabledness.DISABLED_EXPLICITLY

    @two_workers.remote
    def ask() -> str | None:
        return os.environ.get("RAY_USAGE_STATS_ENABLED")

    assert two_workers.get(ask.remote()) == "0"


def test_nothing_of_ray_is_loaded_without_being_asked() -> None:
    code = "import sys, medunet.inference.cluster; assert 'ray' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch, trained: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtraError, match=r"--ray: it needs ray>=.*; install it with: pip install 'medunet\[ray\]'"):
        medunet.predict_each(trained, "anything", ray="auto")
