"""Write a mask as RTSTRUCT: contours on the slices of the series that it was made from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset, FileMetaDataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from medunet.algorithms import Algorithm
from medunet.labels import CodedTerm, Label, LabelTable, Mask
from medunet.outlines import Corners, trace_parts
from medunet.reading import Header, Image, read_mask
from medunet.reading.labels.contours import OUTLINED
from medunet.terms import ANATOMICAL, find_lateralities, find_terms
from medunet.writing.interface import Format, Result
from medunet.writing.sources import (
    LONG_STRING,
    Kind,
    check_same,
    decode_texts,
    find_slices,
    name_instance,
    require_tags,
    share_frame,
    warn_of_texts,
)

KIND = Kind("DICOM RTSTRUCT", "rtstruct")
SERIES_NUMBER = 901
"""High, so that viewers list it after the images and after a SEG."""
SHORT_STRING = 16
"""Characters of a DICOM SH."""
DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
"""Class by which RTSTRUCT names a study (PS3.3 C.8.8.5); retired elsewhere."""
COPIED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime"),
    *("ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
"""Of the source, which DICOM demands but lets be empty."""
ALSO_COPIED = ("StudyDescription", "PatientIdentityRemoved", "DeidentificationMethod", "IssuerOfPatientID")
"""Of the source, where it has them."""
CONTOUR_DATA = Tag("ContourData")


def write_contours(mask: Mask, path: Path, slices: Sequence[Header], algorithm: Algorithm, *, keyholes: bool) -> None:
    """Write a mask as an RT Structure Set with a structure for each label, and closed contours on its slices.

    Contours run along the edges of voxels, in the plane that the header of their slice gives. A label without a voxel
    is a structure without a contour. The file is in implicit byte order, since long contours don't fit another one.

    Args:
        mask: what to write.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        slices: headers of the source series, in the order of the mask's slices.
        algorithm: what made the mask.
        keyholes: join each hole to its outer contour by a channel without width; else holes are contours of their own,
            of which readers must take those out that lie inside another one.

    Raises:
        SeriesError: the headers of the series make no structure set.
        ResourceError: the disk is full, or what was read back differs.
    """
    headers = [header.describe() for header in slices]
    dataset = _make_structure_set(mask.table.labels, headers, algorithm)
    for label in mask.table.labels:
        item = _describe_contours(label)
        item.ContourSequence = [
            _make_contour(corners, slices[k], headers[k])
            for k in np.flatnonzero((mask.voxels == label.value).any(axis=(0, 1))).tolist()
            for corners in _list_contours(mask.voxels[:, :, k] == label.value, keyholes)
        ]
        for number, contour in enumerate(item.ContourSequence, 1):
            contour.ContourNumber = number
        if not item.ContourSequence:
            del item.ContourSequence
        dataset.ROIContourSequence.append(item)
    dataset.save_as(path, enforce_file_format=True)
    check_same(read_mask(path, mask.grid, mask.table), mask, path)


def _list_contours(inside: npt.NDArray[np.bool_], keyholes: bool) -> Iterator[Corners]:
    for part in trace_parts(inside):
        yield from [part.join_holes()] if keyholes else [part.outer, *part.holes]


def _make_contour(corners: Corners, header: Header, source: FileDataset) -> Dataset:
    columns, rows = (corners - 0.5).T
    along = header.spacing[1] * header.orientation[0], header.spacing[0] * header.orientation[1]
    points = header.position + columns[:, None] * along[0] + rows[:, None] * along[1]
    text = "\\".join(["%.4f"] * points.size) % tuple(points.ravel().tolist())
    contour = Dataset()
    contour.ContourImageSequence = [name_instance(source)]
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(points)
    # As it will stand in the file: made into a DS each, a million numbers would take a minute.
    value = text.encode("ascii") + b" " * (len(text) % 2)
    contour[CONTOUR_DATA] = RawDataElement(CONTOUR_DATA, "DS", len(value), value, 0, True, True)
    return contour


def _describe_contours(label: Label) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(label.colour)
    item.ReferencedROINumber = label.value
    return item


def _make_structure_set(labels: Sequence[Label], slices: Sequence[FileDataset], algorithm: Algorithm) -> FileDataset:
    """Everything but the contours."""
    first, comment = slices[0], share_frame(slices)
    decode_texts(first, KIND)
    require_tags(first, ("FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"), KIND)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, generate_uid(prefix=None)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
    for name in COPIED:
        setattr(dataset, name, first.get(name, ""))
    for name in ALSO_COPIED:
        if first.get(name):
            dataset[name] = first[name]
    _describe_series(dataset, labels, algorithm)
    dataset.FrameOfReferenceUID = first.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = first.get("PositionReferenceIndicator", "")
    if comment:
        dataset.StructureSetDescription = comment
    dataset.ReferencedFrameOfReferenceSequence = [_refer_to(slices)]
    dataset.StructureSetROISequence = [_describe_roi(label, first, algorithm) for label in labels]
    dataset.ROIContourSequence = []
    sides = find_lateralities([label.name for label in labels])
    dataset.RTROIObservationsSequence = [_describe_observation(label, sides.get(label.name)) for label in labels]
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _describe_series(dataset: FileDataset, labels: Sequence[Label], algorithm: Algorithm) -> None:
    now, version = datetime.now().astimezone(), metadata.version("medunet")
    described, content = algorithm.describe([label.name for label in labels])
    dataset.InstanceCreationDate = dataset.SeriesDate = dataset.StructureSetDate = now.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.SeriesTime = dataset.StructureSetTime = now.strftime("%H%M%S")
    dataset.Modality, dataset.SeriesInstanceUID = "RTSTRUCT", generate_uid(prefix=None)
    dataset.SeriesNumber, dataset.InstanceNumber = SERIES_NUMBER, 1
    dataset.SeriesDescription = described[:LONG_STRING]
    dataset.OperatorsName = ""
    dataset.Manufacturer = dataset.ManufacturerModelName = "medunet"
    dataset.SoftwareVersions = version
    if algorithm.weights_sha256:
        dataset.DeviceSerialNumber = algorithm.weights_sha256[:LONG_STRING]
    dataset.StructureSetLabel = algorithm.name[:SHORT_STRING] or "medunet"
    dataset.StructureSetName = content[:LONG_STRING]


def _refer_to(slices: Sequence[FileDataset]) -> Dataset:
    """The frame of reference with the study, the series and all images in it."""
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = slices[0].SeriesInstanceUID
    series.ContourImageSequence = [name_instance(item) for item in slices]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = DETACHED_STUDY, slices[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _describe_roi(label: Label, first: FileDataset, algorithm: Algorithm) -> Dataset:
    item = Dataset()
    item.ROINumber, item.ROIName = label.value, label.name
    item.ReferencedFrameOfReferenceUID = first.FrameOfReferenceUID
    made = algorithm.find(label.name)
    name = f"{made.name} {made.version}".strip()
    item.ROIGenerationAlgorithm = made.kind
    # Readers must know that slices without a contour are meant, also where people marked the voxels.
    item.ROIGenerationDescription = (name if made.kind == "AUTOMATIC" and name else _say_outlined(name))[:LONG_STRING]
    return item


def _say_outlined(name: str) -> str:
    return f"{OUTLINED}: {name}" if name else OUTLINED


def _describe_observation(label: Label, side: CodedTerm | None) -> Dataset:
    category, kind = find_terms(label)
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = label.value
    item.RTROIIdentificationCodeSequence = [_code(kind)]
    if side is not None:
        item.RTROIIdentificationCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [_code(side)]
    item.RTROIInterpretedType = "ORGAN" if category == ANATOMICAL else ""
    item.ROIInterpreter = ""
    return item


def _code(term: CodedTerm) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = term.value, term.scheme, term.meaning
    return item


def _check(origin: Image, table: LabelTable, algorithm: Algorithm) -> None:
    first = find_slices(origin, KIND)[0].describe()
    warn_of_texts(first, KIND)
    _make_structure_set(table.labels, [first], algorithm)


def _write(result: Result, path: Path, *, keyholes: bool) -> None:
    slices = find_slices(result.origin, KIND)
    write_contours(result.mask.join_objects(), path, slices, result.algorithm, keyholes=keyholes)


FORMAT = Format(
    name="rtstruct",
    ending=".rtstruct.dcm",
    unit="mm",
    check=_check,
    write=partial(_write, keyholes=True),
    read=read_mask,
    optional=True,
)
INNER = replace(FORMAT, name="rtstruct-inner", ending=".rtstruct-inner.dcm", write=partial(_write, keyholes=False))
"""The same with holes as contours of their own, for programs that don't take keyholes."""
