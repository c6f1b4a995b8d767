"""Several processes that train one network: torch's torchrun starts them, Ignite's idist speaks between them.

A process that torchrun started is a rank, counted from 0. Outside of torchrun there is one, and all here does
what one process does.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import ignite.distributed as idist
import torch
from torch import distributed as dist

from medunet.errors import InputError, MedunetError
from medunet.machine import count_cores
from medunet.networks import build_network, make_network

if TYPE_CHECKING:
    from medunet.planning import Plan

T = TypeVar("T")
PATIENCE = timedelta(days=1)
"""Ranks wait so long for each other, since one of them prepares the cases of all; torchrun tells of those that died."""


def is_launched() -> bool:
    """Whether torchrun started this process."""
    return dist.is_torchelastic_launched()


def is_first() -> bool:
    """Whether this is the rank that locks the run, writes its files and speaks."""
    return idist.get_rank() == 0


def count_here() -> int:
    """Ranks on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if is_launched() else 1


def join_ranks() -> torch.device:
    """Join the ranks that torchrun started, once, over NCCL where there are GPUs and Gloo elsewhere.

    Returns:
        The device of this rank: the GPU of its number on this machine, or the CPU.

    Raises:
        InputError: torchrun didn't start this process, or started more on this machine than it has GPUs.
    """
    if not is_launched():
        found = "torchrun didn't start this process"
        raise InputError("multi_gpu_train.json", found, "run it by torchrun --nproc-per-node N", code="processes-unfit")
    if not dist.is_initialized():
        if torch.cuda.is_available():
            _join_on_gpus()
        else:
            _share_cores()
            dist.init_process_group("gloo", timeout=PATIENCE)
        idist.sync()
        if not is_first():
            logging.getLogger("medunet").setLevel(logging.ERROR)
    return idist.device()


def _join_on_gpus() -> None:
    gpus = torch.cuda.device_count()
    if count_here() > gpus:
        found = f"{count_here()} processes on {gpus} GPUs"
        raise InputError("--nproc-per-node", found, f"start at most {gpus} on this machine", code="processes-unfit")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    dist.init_process_group("nccl", timeout=PATIENCE, device_id=device)


def _share_cores() -> None:
    """Give each rank its part of the cores, where torchrun's own 1 thread would leave most of them idle."""
    if os.environ.get("OMP_NUM_THREADS", "1") == "1":
        cores = count_cores()
        torch.set_num_threads(max(1, cores // count_here()))


def check_joined() -> None:
    """Check that a process which torchrun started beside others joined them.

    Raises:
        InputError: it didn't, since the configuration that does it wasn't given.
    """
    if is_launched() and int(os.environ["WORLD_SIZE"]) > 1 and not dist.is_initialized():
        raise InputError(
            "train.json",
            "it trains on one process, and torchrun started several",
            "add configs/multi_gpu_train.json after it to --config_file",
            code="processes-unfit",
        )


def on_first(work: Callable[[], T]) -> T:
    """Result of `work` of the first rank, which alone does it; all get it, and what it raises, all raise."""
    if idist.get_world_size() == 1:
        return work()
    outcome: list[Any] = [None, None]
    if is_first():
        try:
            outcome = [work(), None]
        except MedunetError as error:
            outcome = [None, error]
    dist.broadcast_object_list(outcome, src=0)
    result, raised = outcome
    if raised is not None:
        raise raised
    return result


def in_turn(work: Callable[[], T]) -> T:
    """`work` of this rank: the first rank does it first, then the first of each machine, then all others.

    So the later ones find the files that were made, on a shared folder and without one. What one raises, all raise.
    """
    turn = 0 if is_first() else 1 if idist.get_local_rank() == 0 else 2
    results: list[T] = []
    for number in range(3):
        failure: MedunetError | None = None
        try:
            if number == turn:
                results.append(work())
        except MedunetError as error:
            failure = error
        for other in idist.all_gather(failure):
            if other is not None:
                raise other
    return results[0]


def share_batch(batch: int) -> int:
    """Patches of a batch that each rank takes.

    Raises:
        InputError: they can't be shared evenly.
    """
    ranks = idist.get_world_size()
    if batch % ranks:
        fitting = [str(count) for count in range(1, batch + 1) if batch % count == 0]
        raise InputError(
            f"batch of {batch}",
            f"it can't be shared evenly by {ranks} processes",
            f"start {' or '.join(fitting)} with torchrun --nproc-per-node",
            code="processes-unfit",
        )
    return batch // ranks


def share_cases(cases: Sequence[T]) -> list[T]:
    """Cases that this rank validates: its share, or all where there are fewer than ranks.

    MONAI's metrics gather those of all ranks; cases that each rank has counted alike leave the mean as it is.
    """
    ranks = idist.get_world_size()
    return list(cases[idist.get_rank() :: ranks] if len(cases) >= ranks else cases)


def gather_batch(part: torch.Tensor) -> torch.Tensor:
    """Join what the ranks have of a batch along its first axis, in the order of the batch.

    A batch is dealt out as by `DistributedSampler`: of two ranks the first has its patches 0, 2, …. Gradients reach
    the part of this rank.
    """
    part = part.as_subclass(torch.Tensor)
    parts = list(idist.all_gather(part.detach().contiguous()).chunk(idist.get_world_size()))
    parts[idist.get_rank()] = part
    return torch.stack(parts, dim=1).flatten(0, 1)


class GatheredLoss:
    """A loss over the patches of all ranks, such as batch Dice, which is no mean of the ranks' own.

    Value and gradients are those that one process has on the whole batch. The logits of a batch that one device
    could hold alone are exchanged, and the loss, cheap beside the network, is computed on each rank.

    Args:
        loss: takes logits, or the list of them, and labels.
    """

    def __init__(self, loss: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        self._loss = loss

    def __call__(self, logits: torch.Tensor | list[torch.Tensor], label: torch.Tensor) -> torch.Tensor:
        """Loss of the batch of which each rank gives its part."""
        whole = [gather_batch(level) for level in logits] if isinstance(logits, list) else gather_batch(logits)
        loss = self._loss(whole, gather_batch(label))
        # Each rank has the gradients through its own patches; their sum is wanted, of which
        # DistributedDataParallel takes the mean.
        return loss.detach() + idist.get_world_size() * (loss - loss.detach())


def measure_exchange(plan: "Plan") -> float:
    """Seconds in which the ranks sum the gradients of a step, where that overlaps with nothing; 0 for one rank."""
    if idist.get_world_size() == 1:
        return 0.0
    count = sum(values.numel() for values in build_network(make_network(plan)).parameters())
    gradients = torch.zeros(count, device=idist.device())
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        float(idist.all_reduce(gradients)[0])
        times.append(time.perf_counter() - begin)
    return min(times)
