"""What a file of labels says of them: names, colours and coded terms, and what made each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import nibabel as nib
import numpy as np
from pydantic import ValidationError

from medunet.algorithms import UNKNOWN, UNNAMED, Algorithm, Kind
from medunet.errors import LabelError, refuse_damage
from medunet.labels import COLOURS, CodedTerm, Label, LabelTable
from medunet.reading.dicom.objects import RTSTRUCT, SEG, describe_labels, read_object
from medunet.reading.labels.contours import OUTLINED
from medunet.records import suggest

COMMENT = 6
"""NIfTI-1 extension code of free text, in which medunet writes the label table as JSON."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""Linear sRGB to CIE XYZ (IEC 61966-2-1)."""
WHITE = (0.95047, 1.0, 1.08883)
"""XYZ of the white of sRGB, D65, which those who write colours into DICOM use."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """What a file says of its labels.

    Attributes:
        table: the labels.
        modality: RTSTRUCT or SEG, "" of a label map.
        algorithm: what made them.
        series_uids: SeriesInstanceUIDs of the images that it refers to.
    """

    table: LabelTable
    modality: str = ""
    algorithm: Algorithm = UNKNOWN
    series_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of one label, before it is checked."""

    name: str
    colour: tuple[int, int, int] | None
    code: CodedTerm | None = None
    category: CodedTerm | None = None
    algorithm: Algorithm = field(default=UNKNOWN)


def read_labelling(path: Path, chosen: Sequence[str] | None = None) -> Labelling:
    """Read what a file says of its labels, without their voxels.

    Structures of an RTSTRUCT have their values in the order of the file, segments of a SEG in that of their numbers.

    Args:
        path: an RTSTRUCT or a DICOM SEG.
        chosen: names of structures or segments, which get the values 1, 2, … in this order; all if not given.

    Raises:
        LabelError: it is neither, a name that is chosen isn't there, or one of them can't be the name of a label.
    """
    with refuse_damage(path, LabelError):
        dataset = read_object(path, RTSTRUCT, SEG)
        segments = dataset.Modality == SEG
        described = describe_labels(dataset, str(path))
        noun = "segment" if segments else "structure"
        said = list(_list_segments(dataset) if segments else _list_structures(dataset))
    said = _choose(said, chosen, path, noun)
    made = {item.name: item.algorithm for item in said}
    alike = all(item == said[0].algorithm for item in made.values())
    algorithm = said[0].algorithm if alike else Algorithm("", "", "", kind="", labels=made)
    return Labelling(_make_table(said, path, noun), described.modality, algorithm, described.series_uids)


def read_nifti_table(path: Path) -> LabelTable | None:
    """The label table that medunet writes into the header of a NIfTI file; None where there is none.

    Raises:
        InputError: the file is damaged.
    """
    with refuse_damage(path):
        for extension in nib.load(path).header.extensions:
            if extension.get_code() == COMMENT:
                try:
                    return LabelTable.model_validate_json(bytes(extension.get_content()).rstrip(b"\0 "))
                except (ValidationError, TypeError):
                    continue  # free text of somebody else
    return None


def _choose(said: list[_Said], chosen: Sequence[str] | None, path: Path, noun: str) -> list[_Said]:
    named = {item.name: item for item in said}
    if len(named) < len(said):
        twice = next(item.name for item in said if item is not named[item.name])
        raise LabelError(path, f"two {noun}s are called '{twice}'", "rename one of them", code="label-twice")
    for name in chosen or ():
        if name not in named:
            raise LabelError(path, f"it has no {noun} '{name}'", suggest(name, sorted(named)), code="label-unknown")
    if not said:
        raise LabelError(path, f"it has no {noun}s", "give a file of labels", code="label-unknown")
    return said if chosen is None else [named[name] for name in chosen]


def _make_table(said: Iterable[_Said], path: Path, noun: str) -> LabelTable:
    labels = []
    for value, item in enumerate(said, 1):
        colour = item.colour or COLOURS[(value - 1) % len(COLOURS)]
        try:
            labels.append(Label(value=value, name=item.name, colour=colour, code=item.code, category=item.category))
        except ValidationError:
            found = f"it has a {noun} that is called '{item.name}', which is no name of a label"
            remedy = f"leave it out by naming the other ones with --labels, or give the {noun} 1 to 64 characters"
            raise LabelError(path, found, remedy, code="label-unknown") from None
    return LabelTable(labels=tuple(labels))


def _list_segments(dataset: Any) -> Iterator[_Said]:
    items = [item for item in dataset.get("SegmentSequence") or [] if item.get("SegmentNumber")]
    for item in sorted(items, key=lambda item: int(item.SegmentNumber)):
        yield _Said(
            name=str(item.get("SegmentLabel", "")),
            colour=_find_colour(item.get("RecommendedDisplayCIELabValue")),
            code=_find_term(item.get("SegmentedPropertyTypeCodeSequence")),
            category=_find_term(item.get("SegmentedPropertyCategoryCodeSequence")),
            algorithm=_find_algorithm(item),
        )


def _find_algorithm(item: Any) -> Algorithm:
    """What made a segment."""
    kind = _find_kind(item.get("SegmentAlgorithmType"))
    more = (item.get("SegmentationAlgorithmIdentificationSequence") or [{}])[0]
    name = str(item.get("SegmentAlgorithmName") or more.get("AlgorithmName") or "")
    if kind == "MANUAL":
        return Algorithm("", "", "", kind)
    if name == UNNAMED:
        return Algorithm("", "", "", "" if kind == "SEMIAUTOMATIC" else kind)
    family = _find_term(more.get("AlgorithmFamilyCodeSequence"))
    return Algorithm(name, str(more.get("AlgorithmVersion") or ""), "", kind, family)


def _list_structures(dataset: Any) -> Iterator[_Said]:
    drawn = {str(item.get("ReferencedROINumber")): item for item in dataset.get("ROIContourSequence") or []}
    observed = {str(item.get("ReferencedROINumber")): item for item in dataset.get("RTROIObservationsSequence") or []}
    for item in dataset.get("StructureSetROISequence") or []:
        number, kind = str(item.get("ROINumber")), _find_kind(item.get("ROIGenerationAlgorithm"))
        described = str(item.get("ROIGenerationDescription") or "").removeprefix(OUTLINED).removeprefix(": ")
        colour = [int(part) for part in drawn.get(number, {}).get("ROIDisplayColor") or ()]
        yield _Said(
            name=str(item.get("ROIName", "")),
            colour=(colour[0], colour[1], colour[2]) if len(colour) == 3 else None,
            code=_find_term(observed.get(number, {}).get("RTROIIdentificationCodeSequence")),
            algorithm=Algorithm("" if kind == "MANUAL" else described, "", "", kind),
        )


def _find_kind(text: Any) -> Kind:
    return next((kind for kind in get_args(Kind) if kind == text), "")


def _find_term(sequence: Any) -> CodedTerm | None:
    """A coded term; None where there is none, or one of another form, such as a URN."""
    item = (sequence or [{}])[0]
    given = {"scheme": "CodingSchemeDesignator", "value": "CodeValue", "meaning": "CodeMeaning"}
    try:
        return CodedTerm(**{name: str(item.get(keyword) or "") for name, keyword in given.items()})
    except ValidationError:
        return None


def _find_colour(stored: Any) -> tuple[int, int, int] | None:
    """The colour in sRGB of one in the CIELab of DICOM (PS3.3 C.10.7.1.1), the nearest one where there is none."""
    if stored is None or len(stored) != 3:
        return None
    lightness, a, b = np.array(stored, dtype=np.float64) / 65535 * (100, 255, 255) - (0, 128, 128)
    middle = (lightness + 16) / 116
    steps = np.array([middle + a / 500, middle, middle - b / 200])
    xyz = np.where(steps > 6 / 29, steps**3, (steps - 4 / 29) * 108 / 841) * WHITE
    linear = np.clip(np.linalg.solve(TO_XYZ, xyz), 0, 1)
    red, green, blue = np.rint(
        255 * np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    ).astype(int)
    return int(red), int(green), int(blue)
