"""What runs a network on patches: one contract, and the backends that keep it."""

from medunet.inference.backends.interface import Backend, ConversionError, Precision, Traits
from medunet.inference.backends.mean import Look, MeanBackend
from medunet.inference.backends.mirrored import MirroredBackend
from medunet.inference.backends.openvino_backend import OpenVinoBackend, has_openvino
from medunet.inference.backends.torch_backend import TorchBackend

__all__ = [
    "Backend",
    "ConversionError",
    "Look",
    "MeanBackend",
    "MirroredBackend",
    "OpenVinoBackend",
    "Precision",
    "TorchBackend",
    "Traits",
    "has_openvino",
]
