"""Takes out of a truth what isn't known of it, so that a metric passes it over."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import MapTransform


class HideUnknownd(MapTransform):
    """Empties regions with a label that nobody looked for; MONAI's metrics pass over what a truth hasn't.

    A label by itself needs none of that, since one that nobody looked for has no voxels.

    Args:
        keys: entries (1 + R, …) with a channel a region, the first being the background.
        regions: label values of each region.
        unknown: entry with the values of labels that are unknown, 0 where there are fewer.
    """

    def __init__(self, keys: Sequence[Hashable], regions: Sequence[Sequence[int]], unknown: str = "unknown") -> None:
        MapTransform.__init__(self, keys)
        self._regions = [set(values) for values in regions]
        self._unknown = unknown

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The entries without these regions."""
        out = dict(data)
        unknown = {int(value) for value in torch.as_tensor(out.get(self._unknown, ())).flatten().tolist()}
        hidden = [number for number, values in enumerate(self._regions, 1) if values & unknown]
        for key in self.key_iterator(out):
            if hidden:
                out[key] = out[key].clone()
                out[key][hidden] = 0
        return out
