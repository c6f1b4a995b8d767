"""Draws what lies around a body in a CT that was cut out of it: a couch, sheets, small things, and noise in the air.

A network that only ever saw empty air takes the first couch for a body. Numbers are of couches, head rests and masks of
radiotherapy: carbon plates over foam of -980 to -700 HU, thermoplastic sheets of 2 to 4 mm.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.transforms import MapTransform, RandomizableTransform
from scipy import ndimage

Array = npt.NDArray[np.float32]
Inside = npt.NDArray[np.bool_]
AIR_HU = -1000.0
LEAST_AIR = 0.02
"""Share of a patch below which the air around the body isn't worth drawing in."""
COUCH, SHEET, THINGS = 0.7, 0.4, 0.3
"""Probabilities of each, where anything is drawn."""


class RandSurroundingsd(RandomizableTransform, MapTransform):
    """Fills the air around the body in patches of a CT, and leaves the body as it is.

    Air is what has the least value and is connected through such voxels with a side of the patch that doesn't lie
    across the body: the windpipe ends at the faces above and below, and stays empty.

    Args:
        keys: entries (C, I, J, K) to change.
        channel: input of the network that is the CT.
        scale: HU to which lower and higher ones were cut, HU that were subtracted, and by which that was divided.
        spacing_mm: of a patch.
        axes: directions in which its axes run, like RAS.
        prob: probability of drawing anything.
    """

    def __init__(
        self,
        keys: Sequence[Hashable],
        channel: int,
        scale: Sequence[float],
        spacing_mm: Sequence[float],
        axes: str = "RAS",
        prob: float = 0.5,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self._channel = channel
        self._low, self._high, self._mean, self._sd = scale
        self._spacing = np.array(spacing_mm, dtype=np.float32)
        self._to_front = "A" in axes
        self._back = axes.index("A" if self._to_front else "P")
        self._up = next(axis for axis, direction in enumerate(axes) if direction in "SI")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The entries with something around the body, or as they are."""
        self.randomize(None)
        out = dict(data)
        if not self._do_transform:
            return out
        for key in self.key_iterator(out):
            image = torch.as_tensor(out[key]).clone()
            values = image[self._channel].numpy()
            air = self._find_air(values)
            if air.mean() >= LEAST_AIR and not air.all():
                drawn = np.clip(self._draw(air), self._low, self._high)
                values[air] = (drawn[air] - self._mean) / self._sd
                out[key] = image
        return out

    def _find_air(self, values: Array) -> Inside:
        """Voxels around the body."""
        least = (self._low - self._mean) / self._sd
        parts, _ = ndimage.label(values <= least + 1e-3)
        sides = [axis for axis in range(3) if axis != self._up]
        touched = np.unique(np.concatenate([parts.take(end, axis).ravel() for axis in sides for end in (0, -1)]))
        found: Inside = np.isin(parts, touched[touched > 0])
        return found

    def _draw(self, air: Inside) -> Array:
        """HU of all voxels (I, J, K), of which those of the air count."""
        drawn = self.R.normal(AIR_HU, self.R.uniform(0, 60), air.shape).astype(np.float32)
        if self.R.random() < COUCH:
            self._draw_couch(drawn, air)
        if self.R.random() < SHEET:
            self._draw_sheet(drawn, air)
        if self.R.random() < THINGS:
            self._draw_things(drawn)
        return drawn

    def _measure_depth(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Places of voxels in mm from front to back, and across from the middle, as arrays that broadcast."""
        places = np.arange(shape[self._back], dtype=np.float32) * self._spacing[self._back]
        depth = places[::-1] if self._to_front else places
        (across,) = {0, 1, 2} - {self._back, self._up}
        side = (np.arange(shape[across], dtype=np.float32) - shape[across] / 2) * self._spacing[across]
        forms = [[-1 if axis == along else 1 for axis in range(3)] for along in (self._back, across)]
        return depth.reshape(forms[0]), side.reshape(forms[1])

    def _draw_couch(self, drawn: Array, air: Inside) -> None:
        """A plate behind the body, flat or hollow, as wide as it happens to be: two shells and foam between them."""
        depth, side = self._measure_depth(drawn.shape)
        body = np.broadcast_to(depth, air.shape)[~air]
        lowest, front = float(body.max()), float(body.min())
        middle, half = self.R.uniform(-40, 40), self.R.uniform(120, 280)
        sag = self.R.choice([0.0, self.R.uniform(10, 60)])
        # Hollow ones hold the body: their rims lie farther to the front, up to its middle.
        rise = np.minimum(sag * ((side - middle) / half) ** 2, (lowest - front) / 2)
        inner = depth - (lowest + self.R.uniform(0, 25) - rise)
        thick, shell = self.R.uniform(8, 60), self.R.uniform(1.5, 6)
        within = (np.abs(side - middle) <= half) & (inner >= 0) & (inner <= thick)
        edge = within & ((inner <= shell) | (inner >= thick - shell))
        drawn[np.broadcast_to(within, drawn.shape)] += self.R.uniform(20, 300)
        drawn[np.broadcast_to(edge, drawn.shape)] = self.R.uniform(-700, 300)

    def _draw_sheet(self, drawn: Array, air: Inside) -> None:
        """A sheet that follows the body at some distance: a mask, clothes, a blanket."""
        away = ndimage.distance_transform_edt(air, self._spacing)
        start = self.R.uniform(0, 12)
        sheet = (away > start) & (away <= start + max(self.R.uniform(2, 5), float(self._spacing.min())))
        if self.R.random() < 0.7:  # a mask lies on the front
            depth = np.broadcast_to(self._measure_depth(drawn.shape)[0], drawn.shape)
            sheet &= depth < np.median(depth[~air])
        drawn[sheet] = self.R.uniform(-800, 100)

    def _draw_things(self, drawn: Array) -> None:
        """Tubes and cables: straight rods of some mm, with or without a hole."""
        grids = np.meshgrid(*(np.arange(size) for size in drawn.shape), indexing="ij", sparse=True)
        for _ in range(int(self.R.randint(1, 4))):
            through = self.R.uniform(0, 1, 3) * drawn.shape
            along = self.R.normal(0, 1, 3)
            along /= np.linalg.norm(along)
            offsets = [(grid - start) * step for grid, start, step in zip(grids, through, self._spacing, strict=True)]
            ahead = sum(offset * share for offset, share in zip(offsets, along, strict=True))
            squared = sum(offset**2 for offset in offsets) - ahead**2
            radius = self.R.uniform(2, 12)
            inside = squared <= radius**2
            if self.R.random() < 0.5:
                inside &= squared >= (0.6 * radius) ** 2
            drawn[inside] = self.R.uniform(-600, 1500)
