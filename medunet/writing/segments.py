"""What a DICOM SEG says of itself, and of each of its frames."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

import numpy as np
from pydicom import Dataset, FileDataset
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from medunet.algorithms import UNNAMED, Algorithm
from medunet.errors import SeriesError
from medunet.extras import load_extra
from medunet.labels import CodedTerm, Label
from medunet.terms import find_lateralities, find_terms
from medunet.writing.sources import (
    LONG_STRING,
    Kind,
    copy_loss,
    decode_texts,
    fill_unknown,
    identify_object,
    share_frame,
)

ARTIFICIAL_INTELLIGENCE = CodedTerm(scheme="DCM", value="123110", meaning="Artificial Intelligence")
"""Family of a bundle, DICOM PS3.16 CID 7162."""
SERIES_NUMBER = 900
"""High, so that viewers list the segmentation after the images."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a SEG holds a mask.

    Attributes:
        kind: for messages.
        type: of the segmentation, DICOM PS3.3 C.8.20.2: "BINARY" has a frame for each slice and label, one bit a
            pixel, "FRACTIONAL" such a one with a probability in each pixel, "LABELMAP" one for each slice, with the
            number of its label in each pixel.
        packed: whether pixels are compressed, by RLE.
        omit: frames without a voxel are left out, unless all are.
    """

    kind: Kind
    type: Literal["BINARY", "FRACTIONAL", "LABELMAP"]
    packed: bool = False
    omit: bool = False


def make_segmentation(
    voxels: Any, labels: Sequence[Label], slices: Sequence[FileDataset], algorithm: Algorithm, encoding: Encoding
) -> Any:
    """A highdicom Segmentation.

    Args:
        voxels: (I, J, K), K being the order of the slices.
        labels: of the mask.
        slices: headers of the source series without pixels, or that of one enhanced multi-frame image; they are
            completed.
        algorithm: what made the mask.
        encoding: how the file holds it; "FRACTIONAL" is of a skeleton alone.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no segmentation.
    """
    highdicom = load_extra("highdicom", encoding.kind.name)
    _complete(slices)
    comment = share_frame(slices)
    decode_texts(slices[0], encoding.kind)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom's warnings quote the patient's name
            segmentation = highdicom.seg.Segmentation(
                source_images=list(slices),
                pixel_array=np.ascontiguousarray(voxels.transpose(2, 1, 0)),
                segmentation_type=encoding.type,
                segment_descriptions=_describe_all(labels, algorithm, highdicom),
                series_number=SERIES_NUMBER,
                content_label="SEGMENTATION",
                omit_empty_frames=encoding.omit and bool(voxels.any()),
                **identify_object(algorithm, highdicom),
            )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found, remedy = f"its header makes no DICOM SEG ({error})", f"restore the header, or {encoding.kind.leave}"
        raise SeriesError(slices[0].filename, found, remedy, code="format-unfit") from error
    _name_content(segmentation, labels, algorithm)
    _copy_facts(slices, segmentation)
    if comment:
        segmentation.ImageComments = comment
    return segmentation


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """A segmentation whose frames come one by one.

    Attributes:
        dataset: all of it but its frames.
        groups: functional groups of each slice of the mask, in the order of its slices.
    """

    dataset: Any
    groups: Sequence[Dataset]

    def count_frames(self, frames: Sequence[tuple[int, int]]) -> None:
        """Say of the dataset which frames it has, as of `list_groups`."""
        self.dataset.NumberOfFrames = len(frames)
        if [k for _, k in frames] != list(range(len(self.groups))):
            # No longer one frame for each plane of a volume, as highdicom saw it (PS3.3 C.7.6.17).
            self.dataset.pop("DimensionOrganizationType", None)

    def list_groups(self, frames: Sequence[tuple[int, int]]) -> Iterator[Dataset]:
        """Functional groups of frames, each given by the number of its segment and of its slice."""
        places = sorted({k for _, k in frames}, key=lambda k: int(self._find_content(k).DimensionIndexValues[-1]))
        ranks = {k: rank for rank, k in enumerate(places, 1)}
        for number, k in frames:
            item, content, segment = Dataset(), Dataset(), Dataset()
            item.update(self.groups[k])
            content.update(self._find_content(k))
            # Both hold the very elements of the slice, which must not change.
            del item.FrameContentSequence, content.DimensionIndexValues
            content.DimensionIndexValues, segment.ReferencedSegmentNumber = [number, ranks[k]], number
            item.FrameContentSequence, item.SegmentIdentificationSequence = [content], [segment]
            yield item

    def _find_content(self, k: int) -> Dataset:
        content: Dataset = self.groups[k].FrameContentSequence[0]
        return content


def make_skeleton(
    labels: Sequence[Label],
    slices: Sequence[FileDataset],
    algorithm: Algorithm,
    encoding: Encoding,
    order: Sequence[int] | None = None,
) -> Skeleton:
    """A segmentation by highdicom that lacks its frames.

    Args:
        labels: of its segments.
        slices: as of `make_segmentation`.
        algorithm: what made the mask.
        encoding: "BINARY" or "FRACTIONAL".
        order: which slice of the mask each frame of a multi-frame image is; None of slices.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no segmentation.
    """
    count = len(slices) if order is None else len(order)
    nothing = np.zeros((slices[0].Columns, slices[0].Rows, count), np.uint8)
    # All frames of one label: the others' are the same but for its number.
    dataset = make_segmentation(nothing, labels[:1], slices, algorithm, Encoding(encoding.kind, "BINARY"))
    dataset.SegmentSequence = _describe_all(labels, algorithm, load_extra("highdicom", encoding.kind.name))
    _name_content(dataset, labels, algorithm)
    dataset.SharedFunctionalGroupsSequence[0].pop("SegmentIdentificationSequence", None)
    places: dict[tuple[str, int | None], int] = {(item.SOPInstanceUID, None): k for k, item in enumerate(slices)}
    if order is not None:
        places = {(slices[0].SOPInstanceUID, frame): k for frame, k in enumerate(order, 1)}
    found = [(places[_find_source(item)], item) for item in dataset.PerFrameFunctionalGroupsSequence]
    del dataset.PerFrameFunctionalGroupsSequence, dataset.PixelData
    return Skeleton(dataset, [item for _, item in sorted(found, key=lambda pair: pair[0])])


def _find_source(groups: Dataset) -> tuple[str, int | None]:
    """The instance, and the frame in it, from 1, that a frame was derived from."""
    (source,) = groups.DerivationImageSequence[0].SourceImageSequence
    return source.ReferencedSOPInstanceUID, source.get("ReferencedFrameNumber")


def _complete(slices: Sequence[Any]) -> None:
    """Fill in headers, in memory, what highdicom takes for granted of them and our reader has measured or excused."""
    first = slices[0]
    for dataset in slices:
        fill_unknown(dataset)
    if "PerFrameFunctionalGroupsSequence" in first:
        return  # its geometry is that of its frames
    cosines = np.array(first.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    between = np.subtract(slices[-1].ImagePositionPatient, first.ImagePositionPatient, dtype=np.float64)
    step = abs(float(between @ np.cross(*cosines))) / max(len(slices) - 1, 1)
    for dataset in slices:
        dataset.ImageOrientationPatient = first.ImageOrientationPatient
        if step:
            # The header's own may be wrong or negative; positions decide, as in reading.
            dataset.SpacingBetweenSlices = step
        if not dataset.get("SliceThickness"):
            dataset.SliceThickness = step or 1.0


def _copy_facts(slices: Sequence[Any], segmentation: Any) -> None:
    """What highdicom leaves out: the part of the body, and loss of compression in any slice."""
    if slices[0].get("BodyPartExamined"):
        segmentation.BodyPartExamined = slices[0].BodyPartExamined
    copy_loss(slices, segmentation)


def _describe_all(labels: Sequence[Label], algorithm: Algorithm, highdicom: Any) -> list[Any]:
    described = [_describe(label, algorithm.find(label.name), highdicom) for label in labels]
    sides = find_lateralities([label.name for label in labels])
    for item in described:
        if item.SegmentLabel in sides:
            modifiers = [highdicom.sr.CodedConcept.from_code(_code(sides[item.SegmentLabel]))]
            item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = modifiers
    return described


def _describe(label: Label, made: Algorithm, highdicom: Any) -> Any:
    category, kind = find_terms(label)
    return highdicom.seg.SegmentDescription(
        segment_number=label.value,
        segment_label=label.name,
        segmented_property_category=_code(category),
        segmented_property_type=_code(kind),
        algorithm_type=made.kind or "SEMIAUTOMATIC",
        algorithm_identification=None if made.kind == "MANUAL" else _identify(made, highdicom),
        display_color=highdicom.color.CIELabColor.from_rgb(*label.colour),
        tracking_id=label.name,
        tracking_uid=generate_uid(prefix=None),
    )


def _identify(made: Algorithm, highdicom: Any) -> Any:
    ours = bool(made.weights_sha256)
    return highdicom.AlgorithmIdentificationSequence(
        name=made.name[:LONG_STRING] or UNNAMED,
        family=_code(made.family or ARTIFICIAL_INTELLIGENCE),
        version=made.version[:LONG_STRING] or UNNAMED,
        source="medunet " + metadata.version("medunet") if ours else None,
        parameters={"weights_sha256": made.weights_sha256} if ours else None,
    )


def _name_content(segmentation: Any, labels: Sequence[Label], algorithm: Algorithm) -> None:
    """Describe series and content by all labels, and take out what would be made up of algorithms for highdicom."""
    series, content = algorithm.describe([label.name for label in labels])
    segmentation.SeriesDescription, segmentation.ContentDescription = series[:LONG_STRING], content[:LONG_STRING]
    names = {label.value: label.name for label in labels}
    for item in segmentation.SegmentSequence:  # a label map has the background as well
        made = algorithm.find(names.get(int(item.SegmentNumber), ""))
        if made.family is None and not made.weights_sha256:
            item.pop("SegmentationAlgorithmIdentificationSequence", None)


def _code(term: CodedTerm) -> Code:
    return Code(term.value, term.scheme, term.meaning)
