"""What the numbers of a mask mean: the label table, and the mask itself."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, field_validator, model_validator

from medunet.confidence import Confidence
from medunet.errors import LabelError
from medunet.geometry import Grid
from medunet.records import Record

VALUES = 8
"""Values that a sentence lists."""
COLOURS = ((220, 50, 47), (38, 139, 210), (133, 153, 0), (181, 137, 0), (211, 54, 130), (42, 161, 152), (203, 75, 22))
"""Colours for labels that bring none, told apart by people who confuse red and green as well."""


class CodedTerm(Record):
    """A term of a coding scheme, as DICOM wants it for segments."""

    scheme: str = Field(min_length=1, max_length=16)
    """Coding scheme designator, for example SCT for SNOMED CT."""
    value: str = Field(min_length=1, max_length=16)
    """The code itself."""
    meaning: str = Field(min_length=1, max_length=64)
    """What it means, in words."""


class Label(Record):
    """One structure: the value of its voxels and what it is called."""

    value: int = Field(ge=1, le=65535)
    """Number in label maps, from 1 without a gap."""
    name: str = Field(min_length=1, max_length=64)
    """What the label is called."""
    colour: tuple[int, int, int]
    """Red, green, blue from 0 to 255."""
    code: CodedTerm | None = None
    """Type of the structure, for example Neoplasm."""
    category: CodedTerm | None = None
    """Category of the type, for example Morphologically Abnormal Structure."""


class Region(Record):
    """What is learnt and scored as one: the voxels of one label, or of several that belong together."""

    name: str = Field(min_length=1, max_length=64)
    """What the region is called."""
    values: tuple[int, ...] = Field(min_length=1)
    """Values of the labels that the region consists of; regions may share some."""
    value: int
    """Of its voxels in a predicted label map, one of `values`; later regions overwrite earlier ones (nnU-Net's
    `regions_class_order`)."""


class LabelTable(Record):
    """All labels of a cohort or a bundle; 0 is background and stands in no table."""

    labels: tuple[Label, ...]
    """The labels, in the order of their values."""
    objects: bool = False
    """Label maps number the objects of the only label: every value above 0 is one of its objects."""
    ignore: int | None = Field(default=None, ge=2, le=255)
    """Value of voxels that nobody looked at, above those of all labels: they are neither learnt nor scored."""
    regions: tuple[Region, ...] = ()
    """Learnt and scored instead of the labels one by one, where there are some; they may overlap."""

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
        if self.objects and (self.ignore is not None or self.regions):
            raise ValueError("label maps that number objects have neither regions nor a value to ignore")
        return self

    @model_validator(mode="after")
    def _ignored_is_no_label(self) -> Self:
        if self.ignore is not None and self.ignore <= len(self.labels):
            raise ValueError("the value to ignore must be above those of all labels")
        return self

    @model_validator(mode="after")
    def _regions_are_of_labels(self) -> Self:
        known = {label.value for label in self.labels}
        if len({region.name for region in self.regions}) != len(self.regions):
            raise ValueError("two regions have one name")
        for region in self.regions:
            if not set(region.values) <= known:
                raise ValueError(f"the region {region.name} has values that no label has")
            if region.value not in region.values:
                raise ValueError(
                    f"the region {region.name} would be written as {region.value}, which is none of its own"
                )
        if len({region.value for region in self.regions}) != len(self.regions):
            raise ValueError("two regions would be written as one value")
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

    @property
    def structures(self) -> tuple[Region, ...]:
        """What is learnt and scored, in order: the regions, or each label by itself."""
        return self.regions or tuple(
            Region(name=label.name, values=(label.value,), value=label.value) for label in self.labels
        )

    def describe(self) -> str:
        """Names of the labels or regions, and the value that is ignored."""
        ignored = "" if self.ignore is None else f" ({self.ignore} ignored)"
        return ", ".join(region.name for region in self.structures) + ignored

    @property
    def is_plain(self) -> bool:
        """Every voxel counts, and is background or of one label."""
        return self.ignore is None and not self.regions


def _make_table(value: Any) -> Any:
    if isinstance(value, list):
        value = {"labels": value}
    if not isinstance(value, dict) or not isinstance(value.get("labels"), list):
        return value
    labels = [
        label if isinstance(label, dict) else {"value": n, "name": label, "colour": COLOURS[(n - 1) % len(COLOURS)]}
        for n, label in enumerate(value["labels"], 1)
    ]
    return {**value, "labels": labels}


Labels = Annotated[LabelTable, BeforeValidator(_make_table)]
"""A label table, in a file perhaps with names alone for labels, or only these."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Labelled voxels on a grid.

    Attributes:
        kind: "classes": one label value a voxel, 0 is background, regions that overlap are unions of these values;
            "instances": one number an object of the only label, in no order.
        voxels: (I, J, K) unsigned integers.
        grid: where the voxels lie.
        table: what the values mean.
        notes: what was repaired, computed or odd in what it was made of, in words.
        warnings: what makes it doubtful, in words.
        confidence: how far it can be relied on, where a network made it.
        unknown: values of labels that nobody looked for: their voxels are among those of the background.
    """

    kind: Literal["classes", "instances"]
    voxels: npt.NDArray[np.unsignedinteger]
    grid: Grid
    table: LabelTable
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    confidence: Confidence | None = None
    unknown: tuple[int, ...] = ()

    def __repr__(self) -> str:
        unit = "mL" if self.grid.unit == "mm" else "px"
        volumes = ", ".join(f"{name} {volume:.4g} {unit}" for name, volume in self.volumes_ml().items())
        return f"Mask({self.kind}, {self.grid.describe()}, {volumes})"

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the mask as a NIfTI file, or as a PNG where it is of a picture; it is read back and compared.

        Args:
            path: ends with `.nii.gz` or `.nii`, or for a picture with `.png`. A DICOM SEG refers to the series that
                it was made from, so `medunet.predict` writes it.
            overwrite: replace a file that exists.

        Returns:
            The path.

        Raises:
            OutputExistsError: the file exists.
            InputError: the ending isn't one of these, or doesn't fit the mask.
            ResourceError: the file can't be written, or what was read back differs.
        """
        from medunet.saving import save_mask  # readers and writers lie below labels, which all of them know

        return save_mask(self, Path(path), overwrite=overwrite)

    def volumes_ml(self) -> dict[str, float]:
        """Volume of each label or region in millilitres (in voxels where the grid has no physical size)."""
        counts = self.count_values()
        return {
            region.name: float(sum(counts[value] for value in region.values)) * self.voxel_volume
            for region in self.table.structures
        }

    def count_values(self) -> npt.NDArray[np.int64]:
        """Voxels of each label value, 0 first; of objects of their only label."""
        counts = np.zeros(len(self.table.labels) + 1, dtype=np.int64)
        for plane in self.voxels:  # at once they would be 8 bytes each
            values = plane > 0 if self.kind == "instances" else plane
            found = np.bincount(values.ravel())
            counts = np.pad(counts, (0, max(0, len(found) - len(counts))))
            counts[: len(found)] += found
        return counts

    def is_labelled(self) -> npt.NDArray[np.bool_]:
        """Voxels (I, J, K) of any label."""
        labelled: npt.NDArray[np.bool_] = self.voxels > 0
        return labelled if self.table.ignore is None else labelled & (self.voxels != self.table.ignore)

    def is_known(self) -> npt.NDArray[np.bool_] | None:
        """Voxels (I, J, K) that somebody looked at, or None where that is all of them."""
        if self.table.ignore is None:
            return None
        known: npt.NDArray[np.bool_] = self.voxels != self.table.ignore
        return None if known.all() else known

    def list_known(self) -> tuple[Region, ...]:
        """Labels or regions that are known whole: those without a label that nobody looked for."""
        return tuple(region for region in self.table.structures if not set(region.values) & set(self.unknown))

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel in millilitres, 1 where the grid has no physical size."""
        return self.grid.voxel_volume / 1000 if self.grid.unit == "mm" else 1.0

    def join_objects(self) -> "Mask":
        """The same as classes: what its numbers tell apart becomes one label; classes stay as they are."""
        if self.kind == "classes":
            return self
        joined = (self.voxels > 0).astype(np.uint8)
        return replace(self, kind="classes", voxels=joined, table=self.table.model_copy(update={"objects": False}))

    def pack_voxels(self) -> npt.NDArray[np.unsignedinteger]:
        """The voxels as a file holds them: 8 bits where all label values fit, 16 for objects, 32 if these are many."""
        if self.kind == "classes":
            return self.voxels.astype(np.uint8 if len(self.table.labels) < 256 else np.uint16, copy=False)
        return self.voxels.astype(np.uint16 if self.voxels.max(initial=0) < 2**16 else np.uint32, copy=False)

    def find_sizes(self) -> npt.NDArray[np.int64]:
        """Voxels of each object of a mask of instances, (N,)."""
        counts = np.unique(self.voxels, return_counts=True)
        return np.asarray(counts[1][counts[0] > 0], dtype=np.int64)


def simplify_name(name: str) -> str:
    """A name by which those that differ in case, spaces and punctuation are alike."""
    return re.sub(r"[\W_]+", "", name).casefold()


def map_values(voxels: npt.NDArray[np.generic], meant: Mapping[int, int], subject: str) -> npt.NDArray[np.generic]:
    """Give stored values the values of the labels that they mean.

    Args:
        voxels: (I, J, K) of any numeric type.
        meant: stored value to the value of a label, or 0; others stay as they are.
        subject: the file, for the message.

    Raises:
        LabelError: a value is no integer.
    """
    if not meant:
        return voxels
    stored, places = np.unique(voxels, return_inverse=True)
    whole = _round_values(stored, subject)
    mapped = np.array([meant.get(value, value) for value in whole.tolist()], dtype=np.int64)
    found: npt.NDArray[np.generic] = mapped[places.reshape(voxels.shape)]
    return found


def list_unknown_values(voxels: npt.NDArray[np.generic], table: LabelTable, subject: str) -> list[int]:
    """Stored values, in order, that no label has; errors as of `check_label_values`."""
    known = {0, table.ignore, *(label.value for label in table.labels)}
    return [value for value in _round_values(_list_values(voxels), subject).tolist() if value not in known]


def advise_values(unknown: Iterable[int], table: LabelTable, cases: str = "") -> str:
    """What to do about stored values that no label has.

    Args:
        unknown: these values.
        table: the labels that there are.
        cases: the list of cases that a cohort.json would name, where there is one.
    """
    values, names = sorted(unknown), {label.value: label.name for label in table.labels}
    example = ",".join(f"{value}={number}" for number, value in enumerate(values[: len(names)], 1))
    option = f'as with --label-values "{example}" (0 is background)'
    every = sorted({*values, *names})
    if table.is_plain and every == list(range(1, len(every) + 1)) and len(every) <= VALUES:
        line = f'"labels": {json.dumps([names.get(value, f"name of {value}") for value in every], ensure_ascii=False)}'
        line = f'{{"cases": {json.dumps(cases, ensure_ascii=False)}, {line}}}' if cases else line
        return f"declare the labels in a cohort.json, {line}, or say which of them they mean, {option}"
    return f'say what they mean, {option} or "label_values" in a cohort.json, or declare the labels there'


def _list_values(voxels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The values of an array, in order."""
    # As they lie in memory: to bring them into the order of their axes takes ten times as long.
    return np.unique(voxels.ravel(order="K"))


def _round_values(values: npt.NDArray[np.generic], subject: str) -> npt.NDArray[np.int64]:
    rounded = np.rint(values.astype(np.float64))
    odd = np.abs(values.astype(np.float64) - rounded) > 1e-3
    if odd.any():
        found = f"it holds values that are no integers, such as {values[odd][0]:g}"
        raise LabelError(subject, found, "store it as a label map; are image and label swapped?", code="label-values")
    return rounded.astype(np.int64)


def check_label_values(
    voxels: npt.NDArray[np.generic], table: LabelTable, subject: str
) -> npt.NDArray[np.unsignedinteger]:
    """Turn stored label values into integers, after checking that the table knows them all.

    Args:
        voxels: (I, J, K) of any numeric type.
        table: the labels that may occur; where it says so, values number the objects of its only label.
        subject: the file, for the message.

    Returns:
        (I, J, K) uint16, or uint32 where numbers of objects need it.

    Raises:
        LabelError: a value is not an integer (within 1e-3) or not in the table.
    """
    rounded = _round_values(_list_values(voxels), subject)
    if table.objects and rounded[0] >= 0 and rounded[-1] < 2**32:
        numbers: npt.NDArray[np.unsignedinteger] = np.rint(voxels).astype(
            np.uint16 if rounded[-1] < 2**16 else np.uint32
        )
        return numbers
    known = {0: "", **{label.value: label.name for label in table.labels}}
    if table.ignore is not None:
        known[table.ignore] = "to ignore"
    unknown = list_unknown_values(rounded, table, subject)
    if unknown:
        declared = ", ".join(f"{value} {name}" for value, name in known.items() if value)
        shown = ", ".join(map(str, unknown[:VALUES])) + (", …" if len(unknown) > VALUES else "")
        found = f"it holds the label values {shown}, which the label table lacks"
        remedy = advise_values(unknown, table)
        raise LabelError(subject, found, remedy, expected=f"0 and {declared}", code="label-values")
    return np.rint(voxels).astype(np.uint16) if voxels.dtype.kind == "f" else voxels.astype(np.uint16)
