"""What ranks share, in one process and between two of Gloo; tests/paths/test_torchrun.py trains on two."""

import os
import subprocess
import sys
from pathlib import Path

import ignite.distributed as idist
import pytest
import torch
from monai.losses import DeepSupervisionLoss, DiceCELoss
from plans import make_test_plan
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from medunet.errors import InputError, ResourceError
from medunet.training import GatheredLoss, join_ranks, share_batch, share_cases
from medunet.training.ranks import check_joined, count_here, gather_batch, in_turn, is_first, measure_exchange, on_first


def test_one_process_has_everything() -> None:
    assert (is_first(), count_here(), share_batch(3), share_cases([1, 2])) == (True, 1, 3, [1, 2])
    assert (on_first(lambda: 5), in_turn(lambda: 6), measure_exchange(make_test_plan())) == (5, 6, 0.0)
    part = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(gather_batch(part), part)
    with pytest.raises(InputError, match="run it by torchrun"):
        join_ranks()


def test_several_processes_without_their_configuration_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_joined()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match=r"add configs/multi_gpu_train\.json after it"):
        check_joined()


def compute_loss(batch: bool, rank: int, ranks: int) -> tuple[float, torch.Tensor]:
    """Loss and gradients of one linear layer on four patches, of which a rank has its part."""
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 3, 1)
    images, labels = torch.randn(4, 1, 4, 4, 4), torch.randint(0, 3, (4, 1, 4, 4, 4)).float()
    labels[:2] = 0
    loss = DeepSupervisionLoss(DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=batch))
    if ranks == 1:
        value = loss([network(images)], labels)
    else:
        wrapped = DistributedDataParallel(network)
        value = GatheredLoss(loss)([wrapped(images[rank::ranks])], labels[rank::ranks])
    value.backward()
    return float(value), network.weight.grad.flatten()  # type: ignore[union-attr]


def be_rank(rank: int, folder: Path) -> None:
    """All that is checked between two ranks; what goes wrong ends the process with an exit code."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    idist.sync()
    for batch in (True, False):
        (value, gradient), (alone, whole) = compute_loss(batch, rank, 2), compute_loss(batch, rank, 1)
        assert abs(value - alone) < 1e-6
        assert torch.allclose(gradient, whole, atol=1e-6)
    assert torch.equal(gather_batch(torch.tensor([rank, rank + 2])), torch.arange(4))
    assert (share_cases([0, 1, 2]), share_cases([7])) == ([[0, 2], [1]][rank], [7])
    assert on_first(lambda: rank) == 0
    assert measure_exchange(make_test_plan()) > 0
    order = folder / "order"
    in_turn(lambda: order.open("a").write(str(rank)))
    assert order.read_text() in ("0", "01")
    for everyone, raiser in ((on_first, 0), (in_turn, 1)):
        try:
            everyone(lambda raiser=raiser: fail(rank == raiser))  # type: ignore[operator]
        except ResourceError as error:
            assert str(error) == "disk: it is full; make room."  # noqa: PT017 (no pytest here)
        else:
            raise AssertionError("it went on")
    try:
        share_batch(3)
    except InputError as error:
        assert "can't be shared evenly by 2 processes; start 1 or 3 with torchrun" in str(error)  # noqa: PT017
    else:
        raise AssertionError("3 was shared by 2")
    idist.finalize()


def fail(now: bool) -> None:
    if now:
        raise ResourceError("disk", "it is full", "make room")


def test_two_ranks_have_the_loss_and_gradients_of_one_and_fail_together(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    commands = [[sys.executable, __file__, str(rank), str(tmp_path)] for rank in range(2)]
    ranks = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for command in commands]
    for process in ranks:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said


if __name__ == "__main__":
    be_rank(int(sys.argv[1]), Path(sys.argv[2]))
