"""Half precision where the hardware has it: bf16 on CPUs with AVX-512 bf16 or AMX, and on GPUs."""

from typing import Any

import torch
from monai.inferers import Inferer


def choose_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def find_vram() -> float | None:
    """GiB of the GPU that other programs leave free, None without a GPU."""
    return torch.cuda.mem_get_info()[0] / 2**30 if torch.cuda.is_available() else None


def measure_peak_vram() -> float | None:
    """GiB of the GPU that this process has held at most, None without a GPU."""
    return torch.cuda.max_memory_reserved() / 2**30 if torch.cuda.is_available() else None


def choose_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware computes in it, else float32; emulated bf16 is over 30 times slower."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # torch has no public name for these two.
    has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if has_bf16 else torch.float32


class AutocastInferer(Inferer):
    """Runs a network under autocast in the best precision of its device; logits come back in float32.

    MONAI's engines know autocast for CUDA only; this stands where they take an inferer.

    Args:
        inferer: runs the network; None calls it directly.
        precision: of autocast; None takes the best of the device.
    """

    def __init__(self, inferer: Inferer | None = None, precision: torch.dtype | None = None) -> None:
        super().__init__()
        self._inferer = inferer
        self._precision = precision

    def find_precision(self, device: torch.device) -> torch.dtype:
        """What a network on a device is computed in."""
        return choose_precision(device) if self._precision is None else self._precision

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> Any:
        """Logits of `network`, or the list of them."""
        dtype = self.find_precision(inputs.device)
        with torch.autocast(inputs.device.type, dtype, enabled=dtype != torch.float32):
            run = self._inferer or (lambda x, net, *a, **k: net(x, *a, **k))
            logits = run(inputs, network, *args, **kwargs)
        return [level.float() for level in logits] if isinstance(logits, list) else logits.float()
