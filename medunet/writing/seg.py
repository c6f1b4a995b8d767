"""Write a mask as DICOM SEG on the series that it was made from."""

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.sr.coding import Code
from pydicom.uid import RLELossless, generate_uid

from medunet.algorithms import UNNAMED, Algorithm
from medunet.errors import SeriesError
from medunet.extras import load_extra
from medunet.labels import CodedTerm, Label, LabelTable, Mask
from medunet.reading import Image, read_segmentation
from medunet.terms import GENERIC, find_terms
from medunet.writing.interface import Format, Result
from medunet.writing.sources import (
    LONG_STRING,
    Kind,
    check_same,
    decode_texts,
    fill_unknown,
    find_files,
    identify_object,
    share_frame,
    warn_of_texts,
)

LOGGER = logging.getLogger(__name__)
ARTIFICIAL_INTELLIGENCE = CodedTerm(scheme="DCM", value="123110", meaning="Artificial Intelligence")
"""Family of a bundle, DICOM PS3.16 CID 7162."""
SERIES_NUMBER = 900
"""High, so that viewers list the segmentation after the images."""
SEG = Kind("DICOM SEG", "seg")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a SEG holds a mask.

    Attributes:
        kind: for messages.
        type: of the segmentation, DICOM PS3.3 C.8.20.2: "BINARY" has a frame for each slice and label, one bit a
            pixel, "LABELMAP" one for each slice, with the number of its label in each pixel.
        packed: whether pixels are compressed, by RLE.
        omit: frames without a voxel are left out, unless all are.
    """

    kind: Kind
    type: Literal["BINARY", "LABELMAP"]
    packed: bool = False
    omit: bool = False


BINARY = Encoding(SEG, "BINARY")
LABELMAP = Encoding(Kind("DICOM SEG", "seg-labelmap"), "LABELMAP", packed=True)


def write_segmentation(
    mask: Mask,
    path: Path,
    slices: Sequence[FileDataset],
    algorithm: Algorithm,
    read_back: Callable[[Path, Mask], Mask],
    encoding: Encoding = BINARY,
    order: Sequence[int] | None = None,
) -> None:
    """Write a mask as a DICOM Segmentation.

    Frames without a voxel are kept unless the encoding says otherwise: some viewers misplace the rest where they are
    left out. Each frame takes position, orientation and spacing of its slice from that slice's own header.

    Args:
        mask: what to write.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        slices: headers of the source series without pixels, in the order of the mask's slices, or that of one enhanced
            multi-frame image; they are completed.
        algorithm: what made the mask.
        read_back: reads the written file, given the mask for its grid and table.
        encoding: how the file holds it.
        order: which slice of the mask each frame of a multi-frame image is; None of slices.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no segmentation.
        ResourceError: the disk is full, or what was read back differs.
    """
    voxels = mask.voxels if order is None else mask.voxels[:, :, order]
    dataset = _make_segmentation(voxels, mask.table.labels, slices, algorithm, encoding)
    if encoding.packed:
        # By pydicom alone, since GDCM's encoder crashes on some sizes.
        dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)
    check_same(read_back(path, mask), mask, path)


def check_source(
    first: FileDataset, labels: Sequence[Label], algorithm: Algorithm, encoding: Encoding = BINARY
) -> None:
    """Check on one slice that a series and labels can become a segmentation, before anything is predicted.

    Labels without a coded term of their own or of their name are warned of: they are called tissue.

    Args:
        first: header of the slice, or of the multi-frame image, without pixels; it is completed.
        labels: of the mask.
        algorithm: what will make it.
        encoding: how the file will hold it.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no segmentation.
    """
    warn_of_texts(first, encoding.kind)
    nothing = np.zeros((first.Columns, first.Rows, int(first.get("NumberOfFrames", 1))), dtype=np.uint8)
    _make_segmentation(nothing, labels, [first], algorithm, encoding)
    for label in labels:
        if find_terms(label)[1] == GENERIC:
            LOGGER.warning(
                "label %s: no coded term is known for it, so the SEG calls it %s (SNOMED CT %s); name one in "
                "labels of configs/plan.json, or of cohort.json before medunet init or for convert --labels",
                *(label.name, GENERIC.meaning, GENERIC.value),
            )


def _make_segmentation(
    voxels: Any, labels: Sequence[Label], slices: Sequence[FileDataset], algorithm: Algorithm, encoding: Encoding
) -> Any:
    """A highdicom Segmentation of voxels (I, J, K), K being the order of the slices."""
    highdicom = load_extra("highdicom", encoding.kind.name)
    _complete(slices)
    comment = share_frame(slices)
    decode_texts(slices[0], encoding.kind)
    series, content = algorithm.describe([label.name for label in labels])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom's warnings quote the patient's name
            segmentation = highdicom.seg.Segmentation(
                source_images=list(slices),
                pixel_array=np.ascontiguousarray(voxels.transpose(2, 1, 0)),
                segmentation_type=encoding.type,
                segment_descriptions=[_describe(label, algorithm.find(label.name), highdicom) for label in labels],
                series_number=SERIES_NUMBER,
                content_label="SEGMENTATION",
                content_description=content[:LONG_STRING],
                series_description=series[:LONG_STRING],
                omit_empty_frames=encoding.omit and bool(voxels.any()),
                **identify_object(algorithm, highdicom),
            )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found, remedy = f"its header makes no DICOM SEG ({error})", f"restore the header, or {encoding.kind.leave}"
        raise SeriesError(slices[0].filename, found, remedy, code="format-unfit") from error
    _leave_unknown_out(segmentation, labels, algorithm)
    _copy_facts(slices, segmentation)
    if comment:
        segmentation.ImageComments = comment
    return segmentation


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
    """What highdicom leaves out: the part of the body, and loss of compression in any slice (PS3.3 C.7.6.1.1.5)."""
    if slices[0].get("BodyPartExamined"):
        segmentation.BodyPartExamined = slices[0].BodyPartExamined
    for dataset in slices:
        if dataset.get("LossyImageCompression") == "01":
            for name in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
                if name in dataset:
                    segmentation[name] = dataset[name]
            return


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


def _leave_unknown_out(segmentation: Any, labels: Sequence[Label], algorithm: Algorithm) -> None:
    """Take out what highdicom demands of algorithms beside their names, where that would be made up."""
    names = {label.value: label.name for label in labels}
    for item in segmentation.SegmentSequence:  # a label map has the background as well
        made = algorithm.find(names.get(int(item.SegmentNumber), ""))
        if made.family is None and not made.weights_sha256:
            item.pop("SegmentationAlgorithmIdentificationSequence", None)


def _code(term: CodedTerm) -> Code:
    return Code(term.value, term.scheme, term.meaning)


def _check(origin: Image, table: LabelTable, algorithm: Algorithm, *, encoding: Encoding) -> None:
    _, slices = find_files(origin, encoding.kind)
    check_source(slices[0], table.labels, algorithm, encoding)


def _write(result: Result, path: Path, *, encoding: Encoding) -> None:
    headers, slices = find_files(result.origin, encoding.kind)
    frames = [header.frame for header in headers if header.frame is not None]
    write_segmentation(
        result.mask.join_objects(),
        path,
        slices,
        result.algorithm,
        lambda part, mask: read_segmentation(part, mask.grid, mask.table),
        encoding,
        np.argsort(frames).tolist() or None,
    )


def omit_empty_frames(row: Format) -> Format:
    """A format whose SEG has no frames without a voxel; other formats stay as they are."""
    if row.name != FORMAT.name:
        return row
    return replace(row, write=partial(_write, encoding=replace(BINARY, omit=True)))


FORMAT = Format(
    name="seg",
    ending=".seg.dcm",
    unit="mm",
    check=partial(_check, encoding=BINARY),
    write=partial(_write, encoding=BINARY),
    read=read_segmentation,
    optional=True,
)
LABEL_MAP = replace(
    FORMAT,
    name="seg-labelmap",
    ending=".seg-labelmap.dcm",
    check=partial(_check, encoding=LABELMAP),
    write=partial(_write, encoding=LABELMAP),
)
"""The same as a label map: small, and new in DICOM, so that many programs don't know it yet. It is compressed by RLE,
since dcmqi takes the smaller JPEG-LS for lossy."""
