"""What runs a network on patches: one contract, and the backends that keep it."""

from medunet.inference.backends.interface import Backend, Precision, Traits
from medunet.inference.backends.mean import Look, MeanBackend
from medunet.inference.backends.torch_backend import TorchBackend

__all__ = ["Backend", "Look", "MeanBackend", "Precision", "TorchBackend", "Traits"]
