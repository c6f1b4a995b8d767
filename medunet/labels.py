"""What the numbers of a mask mean: the label table, and the mask itself."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from medunet.errors import LabelError
from medunet.geometry import Grid
from medunet.records import Record

COLOURS = ((220, 50, 47), (38, 139, 210), (133, 153, 0), (181, 137, 0), (211, 54, 130), (42, 161, 152), (203, 75, 22))
"""Colours for labels that bring none, told apart by people who confuse red and green as well."""


class CodedTerm(Record):
    """A term of a coding scheme, as DICOM wants it for segments."""

    scheme: str = Field(min_length=1, max_length=16)
    """Coding scheme designator, for example SCT for SNOMED CT."""
    value: str = Field(min_length=1, max_length=16)
    meaning: str = Field(min_length=1, max_length=64)


class Label(Record):
    """One structure: the value of its voxels and what it is called."""

    value: int = Field(ge=1, le=65535)
    name: str = Field(min_length=1, max_length=64)
    colour: tuple[int, int, int]
    """Red, green, blue from 0 to 255."""
    code: CodedTerm | None = None
    """Type of the structure, for example Neoplasm."""
    category: CodedTerm | None = None
    """Category of the type, for example Morphologically Abnormal Structure."""


class LabelTable(Record):
    """All labels of a cohort or a bundle; 0 is background and stands in no table."""

    labels: tuple[Label, ...]
    objects: bool = False
    """Label maps number the objects of the only label: every value above 0 is one of its objects."""

    @field_validator("labels")
    @classmethod
    def _values_are_one_to_n(cls, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        if [label.value for label in labels] != list(range(1, len(labels) + 1)):
            raise ValueError("label values must run from 1 without a gap")
        if len({label.name for label in labels}) != len(labels):
            raise ValueError("two labels have one name")
        return labels

    @model_validator(mode="after")
    def _objects_are_of_one_label(self) -> Self:
        if self.objects and len(self.labels) != 1:
            raise ValueError("label maps that number objects know one label only")
        return self

    @classmethod
    def from_names(cls, names: list[str], objects: bool = False) -> "LabelTable":
        """Make a table of names: the first has the value 1."""
        labels = (Label(value=n + 1, name=name, colour=COLOURS[n % len(COLOURS)]) for n, name in enumerate(names))
        return cls(labels=tuple(labels), objects=objects)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the values 1, 2, …."""
        return tuple(label.name for label in self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Labelled voxels on a grid.

    Attributes:
        kind: "classes": one label value a voxel, 0 is background. (Overlapping regions and instances are
            further kinds of the architecture, made where they are needed.)
        voxels: (I, J, K) unsigned integers.
        grid: where the voxels lie.
        table: what the values mean.
        notes: what was repaired, computed or odd in what it was made of, in words.
    """

    kind: Literal["classes"]
    voxels: npt.NDArray[np.unsignedinteger]
    grid: Grid
    table: LabelTable
    notes: tuple[str, ...] = ()

    def volumes_ml(self) -> dict[str, float]:
        """Volume of each label in millilitres (in voxels where the grid has no physical size)."""
        counts = np.bincount(self.voxels.ravel(), minlength=len(self.table.labels) + 1)
        factor = self.grid.voxel_volume / 1000 if self.grid.unit == "mm" else 1.0
        return {label.name: float(counts[label.value]) * factor for label in self.table.labels}


def check_label_values(voxels: npt.NDArray[np.generic], table: LabelTable, subject: str) -> npt.NDArray[np.uint16]:
    """Turn stored label values into integers, after checking that the table knows them all.

    Args:
        voxels: (I, J, K) of any numeric type.
        table: the labels that may occur; objects of its only label are joined.
        subject: the file, for the message.

    Returns:
        (I, J, K) uint16.

    Raises:
        LabelError: a value is not an integer (within 1e-3) or not in the table.
    """
    values = np.unique(voxels)
    rounded = np.rint(values.astype(np.float64))
    if not np.all(np.abs(values - rounded) <= 1e-3):
        raise LabelError(
            subject,
            f"it holds values that are no integers, such as {values[values != rounded][0]:g}",
            "store it as a label map",
        )
    if table.objects and rounded[0] >= 0:
        return np.asarray(np.rint(voxels) != 0, dtype=np.uint16)
    unknown = sorted(set(rounded.astype(int).tolist()) - set(range(len(table.labels) + 1)))
    if unknown:
        declared = ", ".join(f"{label.value} {label.name}" for label in table.labels)
        raise LabelError(
            subject,
            f"it holds the label values {', '.join(map(str, unknown[:8]))}, which the label table lacks",
            "correct the label map or declare the labels in cohort.json",
            expected=f"0 and {declared}",
        )
    return np.rint(voxels).astype(np.uint16) if voxels.dtype.kind == "f" else voxels.astype(np.uint16)
