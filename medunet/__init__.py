"""medunet: from a folder of scans to a MONAI bundle that segments them."""

from typing import Any

__all__ = ["evaluate", "init", "plan", "predict", "read_volume", "train"]


def __getattr__(name: str) -> Any:
    """Load the public verbs on first use, so that importing medunet loads no torch."""
    if name in __all__:
        from medunet import api

        return getattr(api, name)
    raise AttributeError(f"module 'medunet' has no attribute '{name}'")
