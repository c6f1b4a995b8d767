"""The network of a bundle in other formats, compared with PyTorch before it gets its name."""

from medunet.handover.exports.export import Exported, export_bundle
from medunet.handover.exports.targets import Target

__all__ = ["Exported", "Target", "export_bundle"]
