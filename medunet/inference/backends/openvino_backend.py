"""The fast backend of CPUs: OpenVINO, by the torch network converted in memory."""

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any, Literal, Self

import numpy as np
import torch
from monai.networks.nets import DynUNet
from torch import nn

from medunet.extras import load_extra
from medunet.geometry import Shape
from medunet.inference.backends.interface import EXACT_BOUND, Backend, ConversionError, Precision, Traits
from medunet.networks import MeanNetwork

HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
HALF_BOUND = 0.05
"""Of logits in bfloat16, as torch's."""
MAPS = 4
"""Feature maps as large as those of the first convolution that exist together: measured 3.8 to 4.2 of U-Nets."""
COPIES = 2
"""Of logits that exist together."""
TELEMETRY = "openvino_telemetry"
"""A package that comes with OpenVINO. At its import it writes a number for the user into the home folder and sends it
with what is done; without it OpenVINO does nothing of the kind."""


_CORES: dict[str, Any] = {}
_LOCK = threading.Lock()


def has_openvino() -> bool:
    """Whether OpenVINO is installed; nothing is loaded."""
    return find_spec("openvino") is not None


class OpenVinoBackend(Backend):
    """Runs a network by OpenVINO on the CPU.

    Patches are computed one by one, which is as fast as two at once or in two streams, in half of the memory
    (docs/decisions/0007-openvino.md). The memory of its features is taken by the first `run` and stays until it is
    closed or told to `release` it, or goes after each.

    Args:
        precision: what it computes in; "bfloat16" only where the processor has it.
        keep: the memory of features stays, which saves some hundredths of the time.
    """

    def __init__(self, precision: Literal["float32", "bfloat16"] = "float32", *, keep: bool = True) -> None:
        self._precision: Literal["float32", "bfloat16"] = precision
        self._keep, self._turn = keep, threading.Lock()
        self._compiled: Any = None
        self._dims: Literal[2, 3] = 3
        self._width = 1

    @property
    def traits(self) -> Traits:
        """See `Backend.traits`."""
        return Traits(
            name="openvino",
            device="cpu",
            precision=self._precision,
            bound=EXACT_BOUND if self._precision == "float32" else HALF_BOUND,
            preferred_batch=1,
            largest_batch=None,
            peak_bytes=self._foresee_peak,
        )

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        """See `Backend.open`.

        Raises:
            ConversionError: OpenVINO can't convert the network, or the processor lacks bfloat16.
            ExtraError: OpenVINO isn't installed.
        """
        if not all(patch):
            raise ConversionError("OpenVINO needs patches of one size, and this network takes whole scans")
        network = network.cpu().eval().requires_grad_(False)
        size = patch[: dims + 1]
        with silent(TELEMETRY):
            load_extra("openvino", "--backend openvino")
            self._compiled = _compile(convert_network(network, size), (1, *size), self._precision)
        self._dims, self._width = dims, find_width(network)
        if not _is_plain(network):
            self._check(network, size)
        return self

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`.

        Raises:
            RuntimeError: it isn't open, or patches have another size than it was opened with.
        """
        if self._compiled is None:
            raise RuntimeError("the backend of OpenVINO isn't open")
        inputs = patches[..., 0] if self._dims == 2 else patches
        with nullcontext() if self._keep else self._turn:
            parts = [self._infer(patch) for patch in inputs.split(1)]
            if not self._keep:
                self._compiled.release_memory()
        logits = parts[0] if len(parts) == 1 else torch.cat(parts)
        return logits[..., None] if self._dims == 2 else logits

    def release(self) -> None:
        """See `Backend.release`."""
        if self._compiled is not None:
            self._compiled.release_memory()

    def close(self) -> None:
        """See `Backend.close`."""
        self._compiled = None

    def _infer(self, patch: torch.Tensor) -> torch.Tensor:
        """Logits (1, …) of a patch (1, C, …); a request of its own for each thread."""
        request = self._compiled.create_infer_request()
        (logits,) = request.infer([np.ascontiguousarray(patch.numpy())], share_inputs=True, share_outputs=True).values()
        # A view would keep what the request holds.
        return torch.from_numpy(logits.copy())

    def _check(self, network: nn.Module, size: tuple[int, ...]) -> None:
        """Compare with torch what was traced with other patches: a network that decides by what it sees can differ."""
        patch = torch.rand((1, *size), generator=torch.Generator().manual_seed(1)) * 4 - 2
        with torch.inference_mode():
            wanted = network(patch)
        error = float((self._infer(patch) - wanted).abs().max() / wanted.abs().max().clamp(min=1.0))
        if not error <= self.traits.bound:
            self.close()
            raise ConversionError(f"what OpenVINO made of the network gives other logits ({error:.2g} off)")

    def _foresee_peak(self, patch: Shape, batch: int) -> int:
        """Bytes of the largest features that exist together, and of what comes in and out.

        They are of the first convolution's width; logits are held by the request and by who gets them.
        """
        if self._compiled is None:
            raise RuntimeError("the backend of OpenVINO isn't open")
        size = 4 if self._precision == "float32" else 2
        inputs, outputs = (int(port.get_partial_shape()[1].get_length()) for port in self._ports())
        inside = MAPS * size * self._width + 4 * (inputs + COPIES * outputs)
        # All patches of a call are put together afterwards.
        return int(np.prod(patch)) * (inside + 4 * outputs * (batch if batch > 1 else 0))

    def _ports(self) -> tuple[Any, Any]:
        return self._compiled.input(0), self._compiled.output(0)


def find_width(network: nn.Module) -> int:
    """Features of the first convolution of a network."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return next((part.out_channels for part in network.modules() if isinstance(part, kinds)), 1)


@contextmanager
def silent(module: str) -> Iterator[None]:
    """Hide a module from those that import it if they can, as where it isn't installed."""
    before = sys.modules.get(module)
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del sys.modules[module]
        else:
            sys.modules[module] = before


def _is_plain(network: nn.Module) -> bool:
    """Whether a network is DynUNet or several of it, which do the same whatever the size and content of a patch."""
    parts = network.networks if isinstance(network, MeanNetwork) else [network]
    return all(isinstance(part, DynUNet) for part in parts)


def _choose_example(network: nn.Module, size: tuple[int, ...]) -> torch.Tensor:
    """A patch (1, C, …) to trace with: a small one where the size doesn't matter, which is faster."""
    sides = size[1:]
    if _is_plain(network):
        plain = next(part for part in network.modules() if isinstance(part, DynUNet))
        strides = [(step,) * len(sides) if isinstance(step, int) else tuple(step) for step in plain.strides]
        # Twice what the network divides by: a norm needs more than one voxel.
        sides = tuple(2 * int(np.prod(along)) for along in zip(*strides, strict=True))
    return torch.randn((1, size[0], *sides), generator=torch.Generator().manual_seed(0))


def convert_network(network: nn.Module, size: tuple[int, ...]) -> Any:
    """OpenVINO's model of a network.

    By the frontend itself: `openvino.convert_model` reports what it is used for where telemetry was loaded before.

    Args:
        network: in evaluation mode, on the CPU.
        size: (C, …) of a patch, without its last axis for a network of 2.
    """
    example = _choose_example(network, size)

    def compute(image: torch.Tensor) -> Any:
        return network(image)

    try:
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        with torch.no_grad(), warnings.catch_warnings():
            # The tracer tells of each shape that becomes a constant, as sizes of patches are.
            warnings.simplefilter("ignore")
            # As a function, whose parts the tracer doesn't make modules of, which takes half of the time.
            traced = torch.jit.trace(compute, example, check_trace=False)
            decoder = TorchScriptPythonDecoder(traced)
        frontend = FrontEndManager().load_by_framework("pytorch")
        return frontend.convert(frontend.load(decoder))
    except Exception as error:
        raise ConversionError(f"OpenVINO can't convert the network ({_shorten(error)})") from error


def find_core() -> Any:
    """OpenVINO's core, one for all, which is never given up.

    Each core gives the thread that makes it a stack for signals, and takes that away when it goes. Where it goes in
    another thread, or before one that was made earlier, the thread keeps a stack that is gone, and the next signal, as
    of a child process that ends, kills the process.
    """
    with _LOCK:
        if "core" not in _CORES:
            import openvino

            _CORES["core"] = openvino.Core()
        return _CORES["core"]


def _compile(model: Any, shape: tuple[int, ...], precision: Precision) -> Any:
    core = find_core()
    if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ConversionError("the processor has no bfloat16")
    how = {"INFERENCE_PRECISION_HINT": HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
    try:
        model.reshape(list(shape))
        return core.compile_model(model, "CPU", how)
    except Exception as error:
        raise ConversionError(f"OpenVINO can't compile the network ({_shorten(error)})") from error


def _shorten(error: Exception) -> str:
    """The first line of an error, which of OpenVINO's are long."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
