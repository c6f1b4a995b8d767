"""Formats that a network is exported to: how each is written, and how it is run again by what reads it elsewhere."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from medunet.errors import InputError, MedunetError, name_fault
from medunet.extras import load_extra
from medunet.inference.backends.openvino_backend import TELEMETRY, convert_network, find_core, silent

Target = Literal["torchscript", "torch-export", "onnx", "openvino"]
Run = Callable[[torch.Tensor], torch.Tensor]
INPUT, OUTPUT = "image", "logits"
"""Names of what goes in and comes out, where a format knows names."""
OPSET = 18
"""Of ONNX: the first that has all that U-Nets need, so that older readers take it."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Attributes:
        name: of the file that is opened.
        beside: names of files that belong to it.
        write: writes a network, given patches (B, C, …) that it takes; any batch and size go in afterwards.
        read: opens what was written with the library that others run it with.
        reader: that library.
    """

    name: str
    beside: tuple[str, ...]
    write: Callable[[nn.Module, torch.Tensor, Path], None]
    read: Callable[[Path], Run]
    reader: str


def convert(target: Target, network: nn.Module, example: torch.Tensor, path: Path) -> None:
    """Write a network in a format.

    Args:
        target: the format.
        network: on the CPU, in evaluation mode; it learns nothing afterwards.
        example: patches (B, C, I, J, K) or (B, C, I, J), two at least.
        path: of the file; what belongs to it is written beside it.

    Raises:
        ExtraError: what writes it isn't installed.
        InputError: the network can't be written so.
    """
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # Tracers tell of each size that becomes a constant, and of TorchScript's age.
            warnings.simplefilter("ignore")
            FORMATS[target].write(network.requires_grad_(False), example, path)
    except MedunetError:
        raise
    except Exception as error:
        found = f"the network can't be written so ({name_fault(error)[:200]})"
        raise InputError(f"--to {target}", found, "choose another format", code="backend-unfit") from error


def open_exported(target: Target, path: Path) -> Run:
    """A function that runs what was written; errors as of `convert`."""
    try:
        return FORMATS[target].read(path)
    except MedunetError:
        raise
    except Exception as error:
        found = f"what was written can't be opened ({name_fault(error)[:200]})"
        raise InputError(f"--to {target}", found, "choose another format", code="backend-unfit") from error


def _write_torchscript(network: nn.Module, example: torch.Tensor, path: Path) -> None:
    torch.jit.save(torch.jit.trace(network, example, check_trace=False), str(path))


def _read_torchscript(path: Path) -> Run:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: Run = torch.jit.load(str(path), map_location="cpu")
    return module


def _name_axes(example: torch.Tensor) -> tuple[dict[int, Any]]:
    """Axes that are free: the number of patches, and the voxels along each axis."""
    return ({axis: torch.export.Dim.DYNAMIC for axis in range(example.ndim) if axis != 1},)


def _write_export(network: nn.Module, example: torch.Tensor, path: Path) -> None:
    program = torch.export.export(network, (example,), dynamic_shapes=_name_axes(example))
    torch.export.save(program, str(path))


def _read_export(path: Path) -> Run:
    module: Run = torch.export.load(str(path)).module()
    return module


def _write_onnx(network: nn.Module, example: torch.Tensor, path: Path) -> None:
    for name in ("onnx", "onnxscript"):
        load_extra(name, "--to onnx")
    torch.onnx.export(
        network,
        (example,),
        str(path),
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=[INPUT],
        output_names=[OUTPUT],
        opset_version=OPSET,
        dynamic_shapes=_name_axes(example),
    )
    load_extra("onnx", "--to onnx").checker.check_model(str(path), full_check=True)


def _read_onnx(path: Path) -> Run:
    session = load_extra("onnxruntime", "--to onnx").InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(patches: torch.Tensor) -> torch.Tensor:
        (logits,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(patches.numpy())})
        return torch.from_numpy(logits)

    return run


def _write_openvino(network: nn.Module, example: torch.Tensor, path: Path) -> None:
    with silent(TELEMETRY):
        openvino = load_extra("openvino", "--to openvino")
        model = convert_network(network, tuple(example.shape[1:]))
        model.reshape([-1, example.shape[1], *[-1] * (example.ndim - 2)])
        model.inputs[0].set_names({INPUT})
        model.outputs[0].set_names({OUTPUT})
        # Half precision, which it would take by itself, is another network.
        openvino.save_model(model, str(path), compress_to_fp16=False)


def _read_openvino(path: Path) -> Run:
    with silent(TELEMETRY):
        load_extra("openvino", "--to openvino")
        compiled = find_core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(patches: torch.Tensor) -> torch.Tensor:
        (logits,) = compiled([np.ascontiguousarray(patches.numpy())]).values()
        return torch.from_numpy(logits.copy())

    return run


FORMATS: dict[Target, Format] = {
    "torchscript": Format("model.ts", (), _write_torchscript, _read_torchscript, "torch"),
    "torch-export": Format("model.pt2", (), _write_export, _read_export, "torch"),
    "onnx": Format("model.onnx", (), _write_onnx, _read_onnx, "onnxruntime"),
    "openvino": Format("model.xml", ("model.bin",), _write_openvino, _read_openvino, "openvino"),
}
"""Each format."""
