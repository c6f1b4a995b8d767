"""Write a mask as DICOM SEG on the series that it was made from."""

import logging
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataset import FileDataset
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

from medunet.errors import ResourceError, SeriesError
from medunet.extras import load_extra
from medunet.labels import CodedTerm, Label, LabelTable, Mask
from medunet.reading import Header, Image, read_segmentation, sort_series
from medunet.reading.dicom.characters import ESCAPE, decode_text
from medunet.terms import GENERIC, find_terms
from medunet.writing.interface import Algorithm, Format, Result

LOGGER = logging.getLogger(__name__)
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
"""Family of the algorithm, DICOM PS3.16 CID 7162."""
SERIES_NUMBER = 900
"""High, so that viewers list the segmentation after the images."""
LONG_STRING = 64
"""Characters of a DICOM LO."""
MULTIPLE = {"LO", "PN", "SH", "UC"}
"""Kinds of text that may hold several values."""
EMPTY_WHERE_UNKNOWN = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""Tags that DICOM demands but lets be empty, and that some series lack."""


def write_segmentation(
    mask: Mask, path: Path, slices: Sequence[FileDataset], algorithm: Algorithm, read_back: Callable[[Path, Mask], Mask]
) -> None:
    """Write a mask as a BINARY DICOM Segmentation with a frame for each slice and label.

    Frames without a voxel are kept, one bit a pixel: some viewers misplace the rest where they are left out. Each
    frame takes position, orientation and spacing of its slice from that slice's own header.

    Args:
        mask: what to write.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        slices: headers of the source series without pixels, in the order of the mask's slices; they are completed.
        algorithm: what made the mask.
        read_back: reads the written file, given the mask for its grid and table.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no segmentation.
        ResourceError: the disk is full, or what was read back differs.
    """
    dataset = _make_segmentation(mask.voxels, mask.table.labels, slices, algorithm)
    dataset.save_as(path, enforce_file_format=True)
    again = read_back(path, mask)
    if not np.array_equal(again.voxels, mask.voxels):
        raise ResourceError(
            path, "what was read back differs from what was written", "check the disk", code="output-differs"
        )


def check_source(first: FileDataset, labels: Sequence[Label], algorithm: Algorithm) -> None:
    """Check on one slice that a series and labels can become a segmentation, before anything is predicted.

    Labels without a coded term of their own or of their name are warned of: they are called tissue.

    Args:
        first: header of the slice without pixels; it is completed.
        labels: of the mask.
        algorithm: what will make it.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no segmentation.
    """
    if lost := _decode_texts(first):
        named = _name_set(first.get("SpecificCharacterSet"))
        instead = "; it calls the patient by the PatientID" if "PatientName" in lost else ""
        words = f"{', '.join(lost)} can't be decoded as {named}, so the SEG has none{instead}"
        LOGGER.warning("%s: %s", first.filename, words)
    _make_segmentation(np.zeros((first.Columns, first.Rows, 1), dtype=np.uint8), labels, [first], algorithm)
    for label in labels:
        if find_terms(label)[1] == GENERIC:
            LOGGER.warning(
                "label %s: no coded term is known for it, so the SEG calls it %s (SNOMED CT %s); name one in "
                "labels of configs/plan.json, or of cohort.json before medunet init",
                *(label.name, GENERIC.meaning, GENERIC.value),
            )


def _make_segmentation(
    voxels: Any, labels: Sequence[Label], slices: Sequence[FileDataset], algorithm: Algorithm
) -> Any:
    """A highdicom Segmentation of voxels (I, J, K), K being the order of the slices."""
    highdicom = load_extra("highdicom", "DICOM SEG")
    _complete(slices)
    comment = _share_frame(slices)
    _decode_texts(slices[0])
    identification = highdicom.AlgorithmIdentificationSequence(
        name=algorithm.name[:LONG_STRING],
        family=ARTIFICIAL_INTELLIGENCE,
        version=algorithm.version[:LONG_STRING],
        source="medunet " + metadata.version("medunet"),
        parameters={"weights_sha256": algorithm.weights_sha256},
    )
    names = ", ".join(label.name for label in labels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom's warnings quote the patient's name
            segmentation = highdicom.seg.Segmentation(
                source_images=list(slices),
                pixel_array=np.ascontiguousarray(voxels.transpose(2, 1, 0)),
                segmentation_type="BINARY",
                segment_descriptions=[_describe(label, identification, highdicom) for label in labels],
                series_instance_uid=generate_uid(prefix=None),
                series_number=SERIES_NUMBER,
                sop_instance_uid=generate_uid(prefix=None),
                instance_number=1,
                manufacturer="medunet",
                manufacturer_model_name="medunet",
                software_versions=metadata.version("medunet"),
                device_serial_number=algorithm.weights_sha256[:LONG_STRING],
                specific_character_set="ISO_IR 192",
                content_label="SEGMENTATION",
                content_description=f"{names} by {algorithm.name} {algorithm.version}"[:LONG_STRING],
                series_description=f"{algorithm.name}: {names}"[:LONG_STRING],
                omit_empty_frames=False,
            )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SeriesError(
            slices[0].filename,
            f"its header makes no DICOM SEG ({error})",
            "restore the header, or leave seg out of --format",
            code="format-unfit",
        ) from error
    _copy_facts(slices, segmentation)
    if comment:
        segmentation.ImageComments = comment
    return segmentation


def _complete(slices: Sequence[Any]) -> None:
    """Fill in headers, in memory, what highdicom takes for granted of them and our reader has measured or excused."""
    first = slices[0]
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
        for name in EMPTY_WHERE_UNKNOWN:
            if name not in dataset:
                setattr(dataset, name, "")


def _share_frame(slices: Sequence[Any]) -> str:
    """Give headers, in memory, the frame of reference of the first, where each has its own; what is to be said of it.

    Reading took them for slices of one scan all the same.
    """
    frame = slices[0].get("FrameOfReferenceUID")
    if all(dataset.get("FrameOfReferenceUID") == frame for dataset in slices):
        return ""
    for dataset in slices:
        dataset.FrameOfReferenceUID = frame
    return "Each slice of the source has a FrameOfReferenceUID of its own; this is that of the first one."


def _decode_texts(dataset: FileDataset) -> list[str]:
    """Decode the texts of a header, in memory, strictly: highdicom writes them in another encoding.

    What can't be decoded is left out, and the patient is called by the PatientID.

    Returns:
        Names of what can't be decoded.

    Raises:
        SeriesError: the PatientID itself can't be.
    """
    named = dataset.get("SpecificCharacterSet")
    lost = []
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if not isinstance(raw.value, bytes) or (raw.value.isascii() and ESCAPE not in raw.value):
            continue
        kind = raw.VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else "")
        if kind in CUSTOMIZABLE_CHARSET_VR:
            text = decode_text(raw.value, named, is_name=kind == "PN")
            dataset.add_new(tag, kind, (text or "").split("\\") if kind in MULTIPLE else text or "")
            lost += [keyword_for_tag(tag) or str(tag)] if text is None else []
    if "PatientID" in lost:
        found = f"its PatientID can't be decoded as {_name_set(named)}"
        remedy = "correct its SpecificCharacterSet, or leave seg out of --format"
        raise SeriesError(dataset.filename, found, remedy, code="format-unfit")
    if "PatientName" in lost:
        dataset.PatientName = dataset.get("PatientID", "")
    return sorted(lost)


def _name_set(named: Any) -> str:
    return "\\".join([named] if isinstance(named, str) else named or ()) or "ASCII, since it names no character set"


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


def _describe(label: Label, identification: Any, highdicom: Any) -> Any:
    category, kind = find_terms(label)
    return highdicom.seg.SegmentDescription(
        segment_number=label.value,
        segment_label=label.name,
        segmented_property_category=_code(category),
        segmented_property_type=_code(kind),
        algorithm_type="AUTOMATIC",
        algorithm_identification=identification,
        display_color=highdicom.color.CIELabColor.from_rgb(*label.colour),
    )


def _code(term: CodedTerm) -> Code:
    return Code(term.value, term.scheme, term.meaning)


def _find_slices(origin: Image) -> list[Header]:
    """Headers of the slices, in the order in which they are read into the mask's grid.

    Raises:
        SeriesError: the image is no series of single slices.
    """
    if origin.series is None or Path(origin.path).is_file():
        raise SeriesError(
            origin.path,
            "it is a file, and a DICOM SEG refers to a DICOM series",
            "give the folder of the series, or leave seg out of --format",
            code="format-unfit",
        )
    headers, _, _ = sort_series(origin.series, origin.options.phase)
    if headers[0].frame is not None:
        raise SeriesError(
            headers[0].path,
            "it is a multi-frame image, and a DICOM SEG is written for single slices only",
            "leave seg out of --format",
            code="format-unfit",
        )
    return headers


def _check(origin: Image, table: LabelTable, algorithm: Algorithm) -> None:
    check_source(_find_slices(origin)[0].describe(), table.labels, algorithm)


def _write(result: Result, path: Path) -> None:
    write_segmentation(
        result.mask.join_objects(),
        path,
        [header.describe() for header in _find_slices(result.origin)],
        result.algorithm,
        lambda part, mask: read_segmentation(part, mask.grid, mask.table),
    )


FORMAT = Format(
    name="seg", ending=".seg.dcm", unit="mm", check=_check, write=_write, read=read_segmentation, optional=True
)
