"""medunet: from a folder of scans to a MONAI bundle that segments them."""

import os
from typing import Any

# Before torch is loaded: idle OpenMP threads sleep soon. Where two processes share the cores, spinning ones take
# them from the working thread (a step of 0.2 s took 6 s, now 0.7 s); alone on the machine it costs nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__ = ["check", "evaluate", "export_cohort", "init", "plan", "predict", "read_volume", "train", "train_folds"]


def __getattr__(name: str) -> Any:
    """Load the public verbs on first use, so that importing medunet loads no torch."""
    if name in __all__:
        from medunet import api

        return getattr(api, name)
    raise AttributeError(f"module 'medunet' has no attribute '{name}'")
