"""What a forward pass of a network takes of the memory, found without computing it.

The network runs on tensors that have shapes alone; each operation says which tensors live while it runs. To those of a
convolution come its input and output once more, in the order in which oneDNN computes.
"""

from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

LANES = 16
"""Channels that oneDNN keeps together: fewer are filled up."""


class _Watch(TorchDispatchMode):
    """Counts the bytes of what lives, operation by operation.

    Attributes:
        peak: most bytes that lived at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._living: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        made = result if isinstance(result, tuple | list) else (result,)
        for one in made:
            if isinstance(one, torch.Tensor):
                storage = one.untyped_storage()
                self._living.setdefault(storage._cdata, (StorageWeakRef(storage), storage.nbytes()))
        self._living = {key: item for key, item in self._living.items() if not item[0].expired()}
        held = sum(size for _, size in self._living.values())
        again = _count_again(args[0], made[0]) if "convolution" in str(func) else 0
        self.peak = max(self.peak, held + again)
        return result


def _count_again(given: torch.Tensor, made: torch.Tensor) -> int:
    """Bytes of a convolution's input and output in blocks of channels."""
    return sum(one.nbytes * (-(-one.shape[1] // LANES) * LANES) // one.shape[1] for one in (given, made))


def foresee_forward(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Bytes that a forward pass takes beside the weights, with its input and its output.

    Args:
        network: in evaluation mode.
        shape: of the input, (B, C, I, J, K) or (B, C, I, J).
    """
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), _Watch() as watch:
        network(torch.empty(shape))
    return watch.peak
