"""Test a backend, of medunet or of anybody, by its contract (`medunet.inference.backends.Backend`).

With pytest, which collects the tests of a class that inherits them:

    class TestMine(BackendSuite):
        def make_backend(self) -> Backend:
            return MyBackend()

Without: `check_backend(MyBackend)`. Each test raises an AssertionError that says what is wrong. Networks have random
weights from a fixed seed; nothing is read, and the global state of torch's random numbers stays as it is.
"""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, get_args

import torch
from monai.networks.nets import DynUNet
from torch import nn

from medunet.geometry import Shape
from medunet.inference.backends import Backend, Precision, Traits
from medunet.inference.backends.interface import EXACT_BOUND
from medunet.machine import forget_peak_memory, measure_peak_memory

Dims = Literal[2, 3]
BOTH: tuple[Dims, Dims] = (2, 3)
CHANNELS, CLASSES = 2, 3
PATCHES: dict[Dims, Shape] = {2: (24, 32, 1), 3: (16, 24, 32)}
"""Voxels (I, J, K) by axes of the network; all differ, so that exchanged axes show."""
LARGE_PATCH: Shape = (768, 512, 1)
"""Its feature maps are so large that the memory of each is given back to the system at once."""
THREADS = 4
TRUE_HALF = 1e-5
"""What computes in less than float32 differs from torch in float32 by more than this."""
PEAK_FACTOR = 4
"""Times that the stated peak may be too high or too low."""
PEAK_SLACK = 32 << 20
"""Bytes of peak memory that aren't a matter of the patch: threads, code that is loaded at the first call."""


class BackendSuite:
    """The tests; inherit from it and make the backend."""

    def make_backend(self) -> Backend:
        """A new backend that isn't open."""
        raise NotImplementedError("make_backend of the suite gives the backend that is tested")

    def make_network(self, dims: Dims, widths: tuple[int, ...] = (4, 8, 8)) -> nn.Module:
        """The network that it runs: a U-Net with dropout, which shows when it isn't put in evaluation mode.

        Args:
            dims: spatial axes.
            widths: features of each level.
        """
        strides = (1, *(2 for _ in widths[1:]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(dims)
            return DynUNet(
                spatial_dims=dims,
                in_channels=CHANNELS,
                out_channels=CLASSES,
                kernel_size=[3] * len(widths),
                strides=strides,
                upsample_kernel_size=strides[1:],
                filters=widths,
                dropout=0.2,
            )

    def compute(self, network: nn.Module, patches: torch.Tensor) -> torch.Tensor:
        """What torch makes of patches (B, C, …) in float32: with that logits are compared.

        Args:
            network: of `make_network`, in evaluation mode.
            patches: without their last axis where the network has 2.
        """
        logits: torch.Tensor = network(patches)
        return logits

    def open_backend(self, dims: Dims) -> Backend:
        """A backend that was opened with the network."""
        return self.make_backend().open(self.make_network(dims), (CHANNELS, *PATCHES[dims]), dims)

    def test_traits_can_be_used_before_it_is_open(self) -> None:
        """A backend is chosen by them."""
        traits = self.make_backend().traits
        _expect(bool(traits.name and traits.device), "name and device are told")
        _expect(traits.precision in get_args(Precision), f"precision {traits.precision} is one of {Precision}")
        _expect(traits.bound >= 0, f"the bound {traits.bound} of its error isn't negative")
        largest = traits.largest_batch
        fits = traits.preferred_batch >= 1 and (largest is None or traits.preferred_batch <= largest)
        _expect(fits, f"it prefers {traits.preferred_batch} patches, and takes 1 to {largest}")

    def test_every_voxel_has_logits(self) -> None:
        """Float32 on the CPU, in the shape of the patches."""
        for dims in BOTH:
            with self.open_backend(dims) as backend:
                patches = _make_patches(dims, 1)
                logits = backend.run(patches)
            _expect(logits.shape == (1, CLASSES, *PATCHES[dims]), f"logits of {dims}D have shape {logits.shape}")
            found = (logits.dtype, logits.device.type)
            _expect(found == (torch.float32, "cpu"), f"logits are float32 on the CPU, not {found}")

    def test_logits_are_those_of_torch_within_the_bound(self) -> None:
        """Exact backends but for rounding, others within what they state; what states less than float32 uses it."""
        for dims in BOTH:
            patches = _make_patches(dims, 2)
            network = self.make_network(dims).eval()
            with torch.no_grad():
                wanted = self.compute(network, patches[..., 0] if dims == 2 else patches)
                wanted = wanted[..., None] if dims == 2 else wanted
            with self.open_backend(dims) as backend:
                traits = backend.traits
                error = _measure_error(_run(backend, patches), wanted)
            _expect(error <= traits.bound, f"logits of {dims}D are {error:.2g} off, more than {traits.bound:.2g}")
            if traits.precision == "float32":
                _expect(traits.exact, f"a bound of {traits.bound:.2g} is more than rounding of float32 makes")
            else:
                _expect(error > TRUE_HALF, f"logits are {error:.2g} off: that isn't {traits.precision}")

    def test_patches_together_are_those_one_by_one(self) -> None:
        """Of 1, 2 and 3 patches at once, in any order."""
        for dims in BOTH:
            patches = _make_patches(dims, 3)
            with self.open_backend(dims) as backend:
                alone = torch.cat([backend.run(patch[None]) for patch in patches])
                for count in range(1, min(3, backend.traits.largest_batch or 3) + 1):
                    _expect_near(backend.run(patches[:count]), alone[:count], backend.traits, f"{count} together")
                    turned = backend.run(patches[:count].flip(0)).flip(0)
                    _expect_near(turned, alone[:count], backend.traits, f"{count} in another order")

    def test_nothing_is_kept_between_calls(self) -> None:
        """Equal patches give equal logits to the last bit, which stay what they are."""
        for dims in BOTH:
            first, second = _make_patches(dims, 2).split(1)
            with self.open_backend(dims) as backend:
                logits = backend.run(first)
                before = logits.clone()
                other = backend.run(second)
                _expect(torch.equal(logits, before), "logits that were given out change with the next call")
                _expect(not torch.equal(other, before), "other patches have the same logits")
                _expect(torch.equal(backend.run(first), before), "the same patch has other logits after another one")
                backend.release()
                _expect(torch.equal(backend.run(first), before), "the same patch has other logits after a release")

    def test_input_stays_as_it_is(self) -> None:
        """Whatever its layout in memory."""
        for dims in BOTH:
            patches = _make_patches(dims, 1)
            kept = patches.clone()
            scattered = patches.permute(4, 3, 2, 1, 0).contiguous().permute(4, 3, 2, 1, 0)
            with self.open_backend(dims) as backend:
                _expect_near(backend.run(scattered), backend.run(patches), backend.traits, "another memory layout")
            _expect(torch.equal(patches, kept) and torch.equal(scattered, kept), "the patches were changed")

    def test_several_threads_may_run_it(self) -> None:
        """At once, each with patches of its own."""
        patches = [_make_patches(3, 1, seed) for seed in range(2 * THREADS)]
        with self.open_backend(3) as backend, ThreadPoolExecutor(THREADS) as pool:
            alone = [backend.run(patch) for patch in patches]
            for got, wanted in zip(pool.map(backend.run, patches), alone, strict=True):
                _expect_near(got, wanted, backend.traits, "several threads")

    def test_it_runs_only_while_it_is_open(self) -> None:
        """Before and afterwards it refuses; to close twice does no harm."""
        backend, patches = self.make_backend(), _make_patches(3, 1)
        _expect_refusal(backend, patches, "before it is open")
        opened = backend.open(self.make_network(3), (CHANNELS, *PATCHES[3]), 3)
        _expect(opened is backend, "open gives the backend itself")
        with backend as entered:
            _expect(entered is backend, "the context manager gives the backend itself")
        _expect_refusal(backend, patches, "after its context ended")
        backend.close()

    def test_peak_memory_is_as_stated(self) -> None:
        """Within a factor, where it can be measured: on a CPU under Linux, and on a GPU of torch."""
        network = self.make_network(2, (16, 16, 16))
        with self.make_backend().open(network, (CHANNELS, *LARGE_PATCH), 2) as backend:
            traits = backend.traits
            patches = torch.rand(traits.preferred_batch, CHANNELS, *LARGE_PATCH)
            stated = traits.peak_bytes(LARGE_PATCH, len(patches))
            measured = _measure_peak(backend, patches)
        if measured is not None:
            said = f"a call took {measured >> 20} MiB, {stated >> 20} MiB are stated"
            _expect(measured <= PEAK_FACTOR * stated + PEAK_SLACK, said)
            _expect(stated <= PEAK_FACTOR * measured + PEAK_SLACK, said)


def check_backend(make_backend: Callable[[], Backend]) -> None:
    """Run every test of the suite, without pytest.

    Args:
        make_backend: gives a new backend that isn't open.

    Raises:
        AssertionError: of the first test that fails.
    """
    suite = BackendSuite()
    suite.make_backend = make_backend  # type: ignore[method-assign]
    for name in sorted(name for name in dir(suite) if name.startswith("test_")):
        getattr(suite, name)()


def _expect(right: bool, sentence: str) -> None:
    if not right:
        raise AssertionError(sentence)


def _expect_near(got: torch.Tensor, wanted: torch.Tensor, traits: Traits, what: str) -> None:
    error, bound = _measure_error(got, wanted), max(traits.bound, EXACT_BOUND)
    _expect(error <= bound, f"{what}: logits are {error:.2g} off, more than {bound:.2g}")


def _expect_refusal(backend: Backend, patches: torch.Tensor, when: str) -> None:
    try:
        backend.run(patches)
    except RuntimeError:
        return
    raise AssertionError(f"it runs {when}")


def _make_patches(dims: Dims, count: int, seed: int = 0) -> torch.Tensor:
    """(count, C, I, J, K) of noise."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((count, CHANNELS, *PATCHES[dims]), generator=generator)


def _run(backend: Backend, patches: torch.Tensor) -> torch.Tensor:
    """Logits of patches, as many at once as it takes."""
    return torch.cat([backend.run(part) for part in patches.split(backend.traits.largest_batch or len(patches))])


def _measure_error(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """Largest difference as a share of the largest amount, or of 1."""
    if got.shape != wanted.shape:
        raise AssertionError(f"logits have shape {tuple(got.shape)}, not {tuple(wanted.shape)}")
    return float((got - wanted).abs().max() / wanted.abs().max().clamp(min=1.0))


def _measure_peak(backend: Backend, patches: torch.Tensor) -> int | None:
    """Bytes that a call takes at most of the device's memory; None where nothing tells."""
    gc.collect()
    device = backend.traits.device.lower()
    if device.startswith("cuda"):
        held = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        backend.run(patches)
        return torch.cuda.max_memory_allocated(device) - held
    if device.startswith("cpu") and Path("/proc/self/clear_refs").exists():
        forget_peak_memory()
        held = measure_peak_memory()
        backend.run(patches)
        return measure_peak_memory() - held
    return None
