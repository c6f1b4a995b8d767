"""What runs a network on patches: one interface, a small table of names."""

from medunet.inference.backends.interface import Backend
from medunet.inference.backends.torch_backend import TorchBackend

__all__ = ["Backend", "TorchBackend"]
