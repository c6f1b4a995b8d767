"""What is done to a label map after the network's decision: parts of labels that are kept or left out.

*Parts* are connected parts of what is counted together: of each label by itself; of regions, which overlap, of all
together, since a part of one may be the rim of another. `plan.json` says it, `inference.json` does it by transforms of
MONAI alone, and `medunet predict` may be told otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from medunet.labels import LabelTable, Mask
from medunet.parts import count_least, drop_small, keep_largest
from medunet.records import Record, suggest

Groups = tuple[tuple[int, ...], ...]
"""Label values whose parts are counted together."""


class PartsPlan(Record):
    """Which connected parts of the labels are left out of every prediction; those that share a corner hang together."""

    keep_largest: tuple[str, ...] = ()
    """Labels of which only the largest part is kept; of regions all or none, and the largest of all together."""
    smallest: float = Field(default=0.0, ge=0.0)
    """Size below which a part is left out, after the largest were kept; in mL, or in voxels where the images have no
    physical size."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Which parts of a label map are left out, by label value.

    Attributes:
        keep_largest: groups of which only the largest part is kept.
        smallest: size below which a part is left out, in mL, or in voxels where the grid has no physical size.
    """

    keep_largest: Groups = ()
    smallest: float = 0.0


NOTHING = Cleaning()
"""All parts stay."""


def plan_cleaning(parts: PartsPlan, table: LabelTable) -> Cleaning:
    """A plan by label value.

    Raises:
        ValueError: a label is unknown, or is none that has parts.
    """
    return Cleaning(group_values(table, parts.keep_largest) if parts.keep_largest else (), parts.smallest)


def group_values(table: LabelTable, names: Sequence[str] = ()) -> Groups:
    """Label values whose parts are counted together.

    Args:
        table: of the mask.
        names: of labels or regions; all where there are none.

    Raises:
        ValueError: a name is unknown, only some of the regions are named, or labels number objects.
    """
    known = [region.name for region in table.structures]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no label '{unknown[0]}': {suggest(unknown[0], known)}")
    if table.objects and names:
        raise ValueError(f"{known[0]} is numbered object by object, and one of them would be left")
    if table.regions:
        if names and set(names) != set(known):
            raise ValueError(f"regions overlap, so that all are named or none: {','.join(known)}")
        return (tuple(sorted({value for region in table.regions for value in region.values})),)
    return tuple(region.values for region in table.structures if not names or region.name in names)


def clean_mask(mask: Mask, how: Cleaning) -> Mask:
    """Leave parts out of a predicted mask.

    Args:
        mask: of classes, or of instances, of which small objects are left out and the others numbered without a gap.
        how: which parts.
    """
    least = count_least(how.smallest, mask.voxel_volume) if how.smallest else 0
    if mask.kind == "instances":
        sizes = np.bincount(mask.voxels.ravel())
        kept = sizes >= least
        kept[0] = False
        fresh = np.where(kept, np.cumsum(kept), 0).astype(mask.voxels.dtype)
        return replace(mask, voxels=fresh[mask.voxels])
    voxels = keep_largest(mask.voxels, how.keep_largest) if how.keep_largest else mask.voxels
    if least:
        voxels = drop_small(voxels, group_values(mask.table), least)
    return replace(mask, voxels=voxels)
