"""What a user asks of a student."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from medunet.planning.rules import Spacing, Triple
from medunet.records import Record


class Wishes(Record):
    """What a student is made for, and of what it learns."""

    seconds: float = Field(gt=0.0)
    """That a prediction of the scan may take."""
    shape: Triple
    """Voxels of the scan along x, y, z."""
    spacing_mm: Spacing
    """Of a voxel, along x, y, z."""
    preset: Literal["exact", "fast"] = "exact"
    """With which it is predicted, by the backend that `predict` takes."""
    budget_minutes: float | None = None
    """Of training a fold; the teacher's where nothing is said."""
    weight: float = Field(default=1.0, gt=0.0)
    """Of what the teacher tells, where the loss of the labels has 1."""
    cohort: Path | None = None
    """Of the teacher's training, where it came without."""
    fold: int | None = Field(default=None, ge=0)
    """That will be trained, of which the teacher must have a network; None where all are that it has."""
    unlabelled: Path | None = None
    """Scans of which the teacher alone tells."""
