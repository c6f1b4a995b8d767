"""Another network of MONAI's in place of the U-Net that medunet plans: what is known of it before a patch is chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medunet.planning.rules import Triple

LEARNING_RATE = 1e-3
"""Of AdamW, for a network of any kind; with weights that have learnt already it begins with 0.3 of that."""
LONGEST_GRADIENT = 12.0
"""Isensee's, since a network of another kind may have no norm that keeps its gradients short."""
WHY_LEARNING = "AdamW, since medunet's own choice was measured on U-Nets whose every convolution has a norm"


@dataclass(frozen=True, slots=True)
class Swapped:
    """A network that somebody asked for.

    Attributes:
        definition: its `_target_` and arguments, complete.
        multiple: voxels of which its patches are multiples along each axis that it sees.
        patch: the only one that it takes; None where it takes any multiples.
        count: numbers that it learns, and bytes of the features of a patch (x, y, z).

    What `count` raises: BundleError, where the network fails on such a patch.
    """

    definition: Mapping[str, Any]
    multiple: int
    patch: Triple | None
    count: Callable[[Triple], tuple[int, int]]

    def round_patch(self, wanted: Triple, dims: int) -> Triple:
        """The patch (x, y, z) that it takes, as near to a wanted one as its multiples are; 1 along z in 2D."""
        if self.patch is not None:
            return self.patch
        x, y, z = (max(1, round(size / self.multiple)) * self.multiple for size in wanted)
        return x, y, z if dims == 3 else 1


def learn_otherwise() -> dict[str, Any]:
    """How a network of another kind learns, as values of a plan's `training`."""
    return {"optimizer": "adamw", "learning_rate": LEARNING_RATE, "longest_gradient": LONGEST_GRADIENT}
