"""Structures and segments painted on one grid, where some share voxels: refused, decided by the user, or kept.

They are kept where a label belongs to the regions of the other as well: a tumor that lies in its organ, where the
region of the organ consists of both. What is decided, or counts in a region though no structure says so, is told.
"""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.errors import LabelError
from medunet.findings import remark, warn
from medunet.geometry import Shape
from medunet.labels import LabelTable
from medunet.reading.options import LabelOptions

Where = npt.NDArray[np.bool_] | tuple[npt.NDArray[np.int64], ...]
"""Voxels: (I, J, K) bool, or an index for each axis."""


class Painting:
    """A label map that structures are painted on, one after the other or in parts.

    Args:
        shape: of the grid.
        table: the labels.
        options: which label has voxels that several share.
        subject: the file, for messages.
        noun: what a label is there: "structures" or "segments".
    """

    def __init__(self, shape: Shape, table: LabelTable, options: LabelOptions, subject: str, noun: str) -> None:
        self._labels = np.zeros(shape, dtype=np.uint16)
        self._table, self._options, self.subject, self._noun = table, options, subject, noun
        self._shared: Counter[tuple[int, int]] = Counter()
        # Which structures hold a voxel is needed only where regions do not follow from its label.
        self._painted = {value: np.zeros(shape, dtype=np.bool_) for value, _ in self._find_inner()}
        self._painted |= {value: np.zeros(shape, dtype=np.bool_) for _, value in self._find_inner()}

    def paint(self, where: Where, value: int) -> None:
        """Mark voxels that a structure holds with the value of its label."""
        present = self._labels[where]
        if value in self._painted:
            self._painted[value][where] = True
        kept = np.zeros(len(present), dtype=np.bool_)
        for other in set(np.unique(present).tolist()) - {0, value}:
            at = present == other
            self._shared[min(other, value), max(other, value)] += int(at.sum())
            if self._choose(other, value) == other:
                kept |= at
        self._labels[where] = np.where(kept, present, np.uint16(value))

    def finish(self) -> npt.NDArray[np.uint16]:
        """The label map (I, J, K).

        Raises:
            LabelError: labels share voxels, and nothing says which has them.
        """
        undecided = {pair: count for pair, count in self._shared.items() if not self._choose(*pair)}
        if undecided:
            first, second = (self._table.names[value - 1] for value in next(iter(undecided)))
            raise LabelError(
                self.subject,
                f"the {self._noun} {self._count(undecided)} overlap",
                f"say which of them has such voxels with --precedence {second},{first}, or keep both with --regions "
                f'{first}={first}+{second}, or by "precedence" or "regions" in a cohort.json',
                code="label-overlap",
            )
        if self._shared:
            how = "both are kept as regions" if self._table.regions else f"{self._options.precedence[0]} goes first"
            remark("label-overlap", self.subject, f"the {self._noun} {self._count(self._shared)} overlap; {how}")
        for inner, outer in self._find_inner():
            beyond = np.count_nonzero(self._painted[inner] & ~self._painted[outer])
            if beyond and self._painted[outer].any():
                names = self._table.names[inner - 1], self._table.names[outer - 1]
                found = (
                    f"{beyond} voxels of {names[0]} lie outside of {names[1]}, and count as {names[1]} by its region"
                )
                warn("label-overlap", self.subject, found)
        return self._labels

    def _count(self, pairs: Any) -> str:
        names = self._table.names
        return ", ".join(
            f"{names[first - 1]} and {names[second - 1]} (in {count} voxels)"
            for (first, second), count in pairs.items()
        )

    def _choose(self, value: int, other: int) -> int:
        """The label that has voxels which two share, 0 where nothing says so."""
        if self._table.regions:
            of_value, of_other = ({r.name for r in self._table.regions if v in r.values} for v in (value, other))
            if of_value >= of_other or of_other >= of_value:
                return value if of_value >= of_other else other
        ranks = {name: rank for rank, name in enumerate(self._options.precedence)}
        listed = [v for v in (value, other) if self._table.names[v - 1] in ranks]
        return min(listed, key=lambda v: ranks[self._table.names[v - 1]], default=0)

    def _find_inner(self) -> list[tuple[int, int]]:
        """Values of two labels, the first of which belongs to the region that is called like the second."""
        values = {label.name: label.value for label in self._table.labels}
        return [
            (inner, values[region.name])
            for region in self._table.regions
            if region.name in values
            for inner in region.values
            if inner != values[region.name]
        ]
