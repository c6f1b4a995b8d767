"""What an edit of a scan is, and the edits that others are made of.

An *edit* is a function that changes a `Scan` in place before it is written: headers, pixels, slices, or what is done
to its files afterwards. Edits that a header tells the truth about change the truth with it; edits that lie leave the
truth as it was.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any

from medunet.testing.faults.scans import Scan, Slice

Edit = Callable[[Scan], None]
ODD = 5
"""Number of the slice, from 0, that faults of one slice befall: neither an end nor the middle."""


def keep(scan: Scan) -> None:
    """Leave a scan as it is: the edit of a clean one."""


def combine(*edits: Edit) -> Edit:
    """Make one edit of several, which are applied in the order given."""

    def edit(scan: Scan) -> None:
        for each in edits:
            each(scan)

    return edit


def set_tags(only: Iterable[int] | None = None, **tags: Any) -> Edit:
    """Make an edit that writes values into headers and leaves the truth as it is.

    Args:
        only: numbers of the slices from 0; all slices if left out.
        tags: DICOM keyword to value, copied for each slice; None takes the element out.
    """

    def edit(scan: Scan) -> None:
        for item in pick(scan, only):
            for name, value in tags.items():
                if value is not None:
                    setattr(item.dataset, name, copy.deepcopy(value))
                elif name in item.dataset:
                    delattr(item.dataset, name)

    return edit


def number_tags(**tags: Callable[[int], Any]) -> Edit:
    """Make an edit that writes values which depend on the slice into all headers, and leaves the truth as it is.

    Args:
        tags: DICOM keyword to a function of the number of the slice from 0.
    """

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            for name, value in tags.items():
                setattr(item.dataset, name, value(k))

    return edit


def pick(scan: Scan, only: Iterable[int] | None) -> list[Slice]:
    """Slices of a scan by their numbers from 0, those that it has; all of them for None."""
    return scan.slices if only is None else [scan.slices[k] for k in only if k < len(scan.slices)]


def pick_odd(scan: Scan) -> Slice:
    """The slice that faults of one slice befall: number 5, or the last of a shorter scan."""
    return scan.slices[min(ODD, len(scan.slices) - 1)]
