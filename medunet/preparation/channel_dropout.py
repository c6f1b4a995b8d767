"""Leaves one channel of a patch out now and then, so that a network doesn't lean on a single one."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.transforms import MapTransform, RandomizableTransform


class RandDropChanneld(RandomizableTransform, MapTransform):
    """Sets all inputs of one channel to 0, the mean after normalisation.

    Args:
        keys: entries (C, …) to change.
        channels: input at which each channel begins; of a single one nothing is left out.
        prob: probability of leaving one out.
    """

    def __init__(self, keys: Sequence[Hashable], channels: Sequence[int], prob: float) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob if len(channels) > 1 else 0.0)
        self._channels = [*channels]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The entries with all channels but one, or as they are."""
        self.randomize(None)
        out = dict(data)
        if not self._do_transform:
            return out
        dropped = int(self.R.randint(len(self._channels)))
        begin, end = [*self._channels, None][dropped : dropped + 2]
        for key in self.key_iterator(out):
            out[key] = out[key].clone()
            out[key][begin:end] = 0
        return out
