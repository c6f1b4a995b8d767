"""The suite lets a right backend pass, and finds each way of breaking the contract."""

import dataclasses
import time
from typing import Any

import pytest
import torch

from medunet.inference.backends import Backend, TorchBackend, Traits
from medunet.testing import backends
from medunet.testing.backends import BackendSuite, check_backend


class Right(TorchBackend):
    """In float32."""

    changes: dict[str, Any] = {}

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"), torch.float32)

    @property
    def traits(self) -> Traits:
        return dataclasses.replace(super().traits, **self.changes)


class KeepsTraining(Right):
    def open(self, *arguments: Any) -> "KeepsTraining":
        super().open(*arguments)
        self._network.train()
        return self


class ExchangesAxes(Right):
    def run(self, patches: torch.Tensor) -> torch.Tensor:
        return super().run(patches).transpose(2, 3)


class Turns(Right):
    def run(self, patches: torch.Tensor) -> torch.Tensor:
        return super().run(patches.flip(2))


class GivesHalf(Right):
    def run(self, patches: torch.Tensor) -> torch.Tensor:
        return super().run(patches).half()


class ChangesInput(Right):
    def run(self, patches: torch.Tensor) -> torch.Tensor:
        logits = super().run(patches)
        patches.mul_(0.5)
        return logits


class ReusesItsBuffer(Right):
    buffers: dict[tuple[int, ...], torch.Tensor] = {}

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        logits = super().run(patches).clone()
        return self.buffers.setdefault(tuple(logits.shape), logits.clone()).copy_(logits)


class MixesPatches(Right):
    def run(self, patches: torch.Tensor) -> torch.Tensor:
        return super().run(patches + patches.roll(1, 0))


class ReadsMemoryOrder(Right):
    def run(self, patches: torch.Tensor) -> torch.Tensor:
        storage = torch.empty(0).set_(patches.untyped_storage())[: patches.numel()]
        return super().run(patches if len(patches) > 1 else storage.reshape(patches.shape))


class SharesItsInput(Right):
    def run(self, patches: torch.Tensor) -> torch.Tensor:
        self.inputs = patches
        time.sleep(0.01)
        return super().run(self.inputs)


class StaysOpen(Right):
    def close(self) -> None:
        pass


class OpensAnother(Right):
    def open(self, *arguments: Any) -> Right:
        return Right().open(*arguments)


class Rounds(Right):
    def run(self, patches: torch.Tensor) -> torch.Tensor:
        return super().run(patches.bfloat16().float())


class SaysHalf(Right):
    changes = {"precision": "bfloat16", "bound": 0.1}


class ExcusesFloat32(Right):
    changes = {"bound": 0.5}


class SaysNothing(Right):
    changes = {"name": ""}


class SaysUnknownPrecision(Right):
    changes = {"precision": "float8"}


class PrefersTooMuch(Right):
    changes = {"preferred_batch": 4, "largest_batch": 2}


class SaysTooLittleMemory(Right):
    changes = {"peak_bytes": lambda *_: 1 << 20}


class SaysTooMuchMemory(Right):
    changes = {"peak_bytes": lambda *_: 1 << 34}


WRONG = [
    (KeepsTraining, "nothing_is_kept_between_calls", "other logits after another one"),
    (ExchangesAxes, "every_voxel_has_logits", "have shape"),
    (GivesHalf, "every_voxel_has_logits", "float32 on the CPU, not"),
    (Turns, "logits_are_those_of_torch_within_the_bound", "off, more than"),
    (Rounds, "logits_are_those_of_torch_within_the_bound", "off, more than"),
    (SaysHalf, "logits_are_those_of_torch_within_the_bound", "that isn't bfloat16"),
    (ExcusesFloat32, "logits_are_those_of_torch_within_the_bound", "more than rounding"),
    (MixesPatches, "patches_together_are_those_one_by_one", "2 together"),
    (ReusesItsBuffer, "nothing_is_kept_between_calls", "change with the next call"),
    (ChangesInput, "input_stays_as_it_is", "the patches were changed"),
    (ReadsMemoryOrder, "input_stays_as_it_is", "another memory layout"),
    (SharesItsInput, "several_threads_may_run_it", "several threads"),
    (StaysOpen, "it_runs_only_while_it_is_open", "it runs after its context ended"),
    (OpensAnother, "it_runs_only_while_it_is_open", "open gives the backend itself"),
    (SaysNothing, "traits_can_be_used_before_it_is_open", "name and device"),
    (SaysUnknownPrecision, "traits_can_be_used_before_it_is_open", "precision float8"),
    (PrefersTooMuch, "traits_can_be_used_before_it_is_open", "it prefers 4 patches"),
    (SaysTooLittleMemory, "peak_memory_is_as_stated", "took 400 MiB, 1 MiB are stated"),
    (SaysTooMuchMemory, "peak_memory_is_as_stated", "took 400 MiB, 16384 MiB are stated"),
]


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call takes is measured where the backend of torch is tested."""
    monkeypatch.setattr(backends, "_measure_peak", lambda *_: 400 << 20)


def test_a_right_backend_passes_without_pytest() -> None:
    check_backend(Right)


@pytest.mark.parametrize(("wrong", "test", "said"), WRONG)
def test_a_broken_contract_is_found(wrong: type[Right], test: str, said: str) -> None:
    class Suite(BackendSuite):
        def make_backend(self) -> Backend:
            return wrong()

    with pytest.raises(AssertionError, match=said):
        getattr(Suite(), f"test_{test}")()


def test_every_test_of_the_suite_can_fail() -> None:
    assert {f"test_{test}" for _, test, _ in WRONG} == {name for name in dir(BackendSuite) if name.startswith("test_")}


def test_a_call_that_takes_memory_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    class Hungry(Right):
        def run(self, patches: torch.Tensor) -> torch.Tensor:
            return torch.ones(100 << 20, dtype=torch.uint8)[:1] + patches

    measured = backends._measure_peak(Hungry(), torch.zeros(1))
    assert measured is None or 95 << 20 <= measured < 130 << 20


def test_random_numbers_of_torch_stay() -> None:
    before = torch.get_rng_state()
    BackendSuite().make_network(3)
    assert torch.equal(torch.get_rng_state(), before)
    one, other = BackendSuite().make_network(2), BackendSuite().make_network(2)
    assert all(map(torch.equal, one.parameters(), other.parameters()))
