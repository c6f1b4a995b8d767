"""Write what is measured of a mask as a DICOM structured report, an Imaging Measurement Report (PS3.16 TID 1500)."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydicom import Dataset, FileDataset, dcmread
from pydicom.sr.codedict import codes

from medunet.algorithms import Algorithm
from medunet.errors import MedunetError, ResourceError, SeriesError
from medunet.extras import load_extra
from medunet.labels import Label, LabelTable
from medunet.measures import Measures, StructureMeasures
from medunet.reading import Image
from medunet.writing.groups import PRIVATE, Groups, Slices
from medunet.writing.interface import Format, Result
from medunet.writing.sources import (
    LONG_STRING,
    Kind,
    decode_texts,
    fill_unknown,
    find_files,
    identify_object,
    share_frame,
    warn_of_texts,
)

REPORT = Kind("DICOM SR", "sr")
REFERS = ("seg", "seg-labelmap")
"""Formats to whose segments a report refers; to those of the first that is there."""
SERIES_NUMBER = 902
"""High, so that viewers list it after the images, a SEG and an RTSTRUCT."""
PROCEDURES = {
    "CT": codes.LN.CTUnspecifiedBodyRegion,
    "MR": codes.LN.MRIUnspecifiedBodyRegion,
    "PT": codes.LN.PETUnspecifiedBodyRegion,
}
"""What was done to the patient, by modality (PS3.16 CID 100)."""


def write_report(
    measures: Measures,
    path: Path,
    labels: Sequence[Label],
    channels: dict[str, Slices],
    algorithm: Algorithm,
    segmentation: FileDataset | None = None,
) -> None:
    """Write measures as a Comprehensive 3D SR with a measurement group for each structure and lesion.

    A structure that wasn't found is a group that says so. The document is complete, preliminary and unverified: a
    device has observed, and nobody has looked yet.

    Args:
        measures: what to write.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        labels: of the mask that was measured.
        channels: slices of each channel that is a DICOM series, by name; those of the mask first.
        algorithm: what made the mask.
        segmentation: header of the SEG of the same mask, to whose segments the structures refer.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no report.
        ResourceError: the disk is full, or what was read back differs.
    """
    document = _make_document(measures, labels, channels, algorithm, segmentation)
    document.save_as(path, enforce_file_format=True)
    if list_numbers(dcmread(path)) != list_numbers(document):
        raise ResourceError(
            path, "what was read back differs from what was written", "check the disk", code="output-differs"
        )


def list_numbers(item: Dataset) -> list[tuple[str, str, str]]:
    """Every number of a report in its order: what it is of, its unit, and itself as text."""
    found = []
    if item.get("ValueType") == "NUM":
        (value,) = item.MeasuredValueSequence
        unit = value.MeasurementUnitsCodeSequence[0].CodeValue
        found.append((item.ConceptNameCodeSequence[0].CodeMeaning, unit, str(value.NumericValue)))
    return found + [number for inner in item.get("ContentSequence", ()) for number in list_numbers(inner)]


def _make_document(
    measures: Measures,
    labels: Sequence[Label],
    channels: dict[str, Slices],
    algorithm: Algorithm,
    segmentation: FileDataset | None,
) -> Any:
    """A highdicom Comprehensive3DSR."""
    highdicom = load_extra("highdicom", REPORT.name)
    own = next(iter(channels.values())).datasets
    comment = share_frame(own)
    decode_texts(own[0], REPORT)
    fill_unknown(own[0])
    series, _ = algorithm.describe([structure.name for structure in measures.structures])
    evidence = [*own, *([] if segmentation is None else [segmentation])]
    evidence += [dataset for slices in list(channels.values())[1:] for dataset in slices.datasets]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom's warnings quote the patient's name
            report = highdicom.sr.MeasurementReport(
                observation_context=_name_observer(algorithm, highdicom),
                procedure_reported=PROCEDURES.get(own[0].get("Modality", ""), codes.SCT.ImagingProcedure),
                imaging_measurements=list(Groups(highdicom, labels, channels, segmentation).list_groups(measures)),
            )
            if comment:
                report[0].ContentSequence.append(_comment(comment, highdicom))
            return highdicom.sr.Comprehensive3DSR(
                evidence=evidence,
                content=report[0],
                series_number=SERIES_NUMBER,
                is_complete=True,
                series_description=series[:LONG_STRING],
                coding_schemes=[highdicom.coding_schemes.CodingSchemeIdentificationItem(PRIVATE, name="medunet")],
                **identify_object(algorithm, highdicom),
            )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found, remedy = f"its header makes no {REPORT.name} ({error})", f"restore the header, or {REPORT.leave}"
        raise SeriesError(own[0].filename, found, remedy, code="format-unfit") from error


def _comment(text: str, highdicom: ModuleType) -> Any:
    """A sentence at the end of a report, whose template may be extended (PS3.16 TID 1500)."""
    contains = highdicom.sr.RelationshipTypeValues.CONTAINS
    return highdicom.sr.TextContentItem(codes.DCM.Comment, text, contains)


def _name_observer(algorithm: Algorithm, highdicom: ModuleType) -> Any:
    """The device that has observed, and nobody else."""
    device = highdicom.sr.DeviceObserverIdentifyingAttributes(
        uid=algorithm.device_uid,
        name=algorithm.name,
        manufacturer_name="medunet",
        model_name=f"{algorithm.name} {algorithm.version}",
        serial_number=algorithm.weights_sha256,
    )
    return highdicom.sr.ObservationContext(highdicom.sr.ObserverContext(codes.DCM.Device, device))


def _find_channels(origin: Image, images: Iterable[tuple[str, Image]]) -> dict[str, Slices]:
    """Slices of each channel that is a DICOM series, those of the origin first."""
    found = {}
    for name, image in images:
        try:
            found[name] = Slices(*find_files(image, REPORT))
        except MedunetError:
            if image is origin:
                raise
            continue  # what lies in a file of another kind has values, and nothing to refer to
    return found


def _check(origin: Image, table: LabelTable, algorithm: Algorithm) -> None:
    headers, files = find_files(origin, REPORT)
    first = files[0]
    warn_of_texts(first, REPORT)
    if not first.get("FrameOfReferenceUID"):
        found = f"its header has no FrameOfReferenceUID, which a {REPORT.name} refers to"
        raise SeriesError(first.filename, found, f"restore the header, or {REPORT.leave}", code="format-unfit")
    nothing = [
        StructureMeasures(name=item.name, label_values=item.values, lesion_count=0, whole=None, lesions=())
        for item in table.structures
    ]
    channels = {"": Slices(headers[:1], [first])}
    _make_document(Measures(unit="mm", structures=tuple(nothing)), table.labels, channels, algorithm, None)


def _write(result: Result, path: Path) -> None:
    images = result.channels or {"": result.origin}
    channels = _find_channels(result.origin, images.items())
    segmentations = [result.files[name] for name in REFERS if name in result.files]
    segmentation = dcmread(segmentations[0], stop_before_pixels=True) if segmentations else None
    write_report(result.measures, path, result.mask.table.labels, channels, result.algorithm, segmentation)


FORMAT = Format(name="sr", ending=".sr.dcm", unit="mm", check=_check, write=_write, read=None, refers=REFERS)
