"""Write a mask as a secondary capture: the slices of its series as colour pictures, with outlines burnt in.

For viewers that show no SEG. It is one Multi-frame True Color Secondary Capture with a frame for each slice, placed in
the patient as the slice is. Pixels aren't compressed: colours of compressed captures are what viewers and archives get
wrong, and every one of them takes plain ones.
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset
from pydicom.pixels.utils import iter_pixels
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, MultiFrameTrueColorSecondaryCaptureImageStorage, generate_uid

from medunet.algorithms import Algorithm
from medunet.errors import MedunetError, ResourceError, SeriesError
from medunet.extras import load_extra
from medunet.labels import Label, LabelTable, Mask
from medunet.reading import Header, Image, Volume, read_image
from medunet.reading.dicom.frames import describe_frames
from medunet.windows import SOFT_TISSUE, find_window
from medunet.writing.frames import LARGEST, write_frames
from medunet.writing.interface import Format, Result
from medunet.writing.overlays import Overlay, choose_scale
from medunet.writing.sources import (
    LONG_STRING,
    Kind,
    copy_loss,
    decode_texts,
    fill_unknown,
    find_files,
    identify_object,
    name_instance,
    require_tags,
    share_frame,
    warn_of_texts,
)

KIND = Kind("DICOM secondary capture", "sc")
SERIES_NUMBER = 903
"""High, so that viewers list it after the images and after what holds the mask itself."""
REFERS_TO = ("FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID")
WINDOWED = ("CT", "MR")
"""Modalities whose values are read in the unit of the window that their headers name."""
SAMPLED = 64
"""Voxels along each axis that a window is found of."""
SHORT_TEXT = 1024
"""Characters of a DICOM ST."""
POSITION, POSITIONS = Tag("ImagePositionPatient"), Tag("PlanePositionSequence")


@dataclass(frozen=True, slots=True, eq=False)
class Slides:
    """The slices that are drawn on.

    Attributes:
        headers: of each slice, in the order of the mask's slices.
        files: headers of their files, without pixels: one for each slice, or a single one of all frames.
        scale: pixels of a picture along each side of a voxel.
    """

    headers: Sequence[Header]
    files: Sequence[FileDataset]
    scale: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a picture."""
        columns, rows = self.headers[0].shape
        return rows * self.scale, columns * self.scale

    @property
    def size(self) -> int:
        """Bytes of a picture."""
        return 3 * self.shape[0] * self.shape[1]

    @property
    def step(self) -> float:
        """Distance of two slices in mm; 0 of a single one."""
        between = self.headers[-1].position - self.headers[0].position
        return abs(float(between @ np.cross(*self.headers[0].orientation))) / max(len(self.headers) - 1, 1)

    def find_position(self, k: int) -> npt.NDArray[np.float64]:
        """Centre (3,) of the first pixel of a picture, LPS mm."""
        header = self.headers[k]
        across = header.orientation * np.array(header.spacing[::-1])[:, None]
        position: npt.NDArray[np.float64] = header.position - across.sum(axis=0) * (1 - 1 / self.scale) / 2
        return position

    def name_source(self, k: int) -> Dataset:
        """How a frame refers to its slice."""
        frame = self.headers[k].frame
        return name_instance(self.files[k if frame is None else 0], frame)


def write_capture(mask: Mask, volume: Volume, path: Path, slides: Slides, algorithm: Algorithm) -> None:
    """Write the slices of an image with the outlines of a mask.

    Where the mask is empty, every picture says so.

    Args:
        mask: what is outlined.
        volume: the image that it was made from.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        slides: of the source; its headers are completed.
        algorithm: what made the mask.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no secondary capture.
        ResourceError: the disk is full, or what was read back differs.
    """
    labels, window = mask.table.labels, choose_window(volume, slides)
    nothing = "" if mask.is_labelled().any() else f"{', '.join(label.name for label in labels)}: nothing found"
    overlay = Overlay(window, labels, slides.scale, nothing, mask.kind == "instances")
    dataset = _make_capture(labels, slides, algorithm, window)
    drawn: list[bytes] = []

    def draw() -> Iterator[bytes]:
        for k in range(len(slides.headers)):
            picture = overlay.draw(volume.voxels[0, :, :, k], mask.voxels[:, :, k])
            drawn.append(hashlib.sha256(picture).digest())
            yield picture

    highdicom = load_extra("highdicom", KIND.name)
    groups = (_describe_frame(slides, k, highdicom) for k in range(len(slides.headers)))
    write_frames(dataset, path, groups, draw(), len(slides.headers) * slides.size)
    if [hashlib.sha256(frame.tobytes()).digest() for frame in iter_pixels(path)] != drawn:
        found = "what was read back differs from what was written"
        raise ResourceError(path, found, "check the disk", code="output-differs")


def choose_window(volume: Volume, slides: Slides) -> tuple[float, float]:
    """Values shown black and white: by the header of the middle slice, for soft tissue of a CT without, else of most.

    Headers of PET name a window in units that values are no longer in.
    """
    middle = len(slides.headers) // 2
    frame = slides.headers[middle].frame
    flat: Dataset = slides.files[middle if frame is None else 0]
    if frame is not None:
        flat = next(islice(describe_frames(flat), frame, None))
    window = SOFT_TISSUE if volume.source.units == "HU" else None
    if slides.files[0].get("Modality") in WINDOWED:
        centre, width = (_take_first(flat.get(name)) for name in ("WindowCenter", "WindowWidth"))
        if centre is not None and width is not None and width > 0:
            window = centre, width
    steps = tuple(slice(None, None, max(1, n // SAMPLED)) for n in volume.voxels.shape[1:])
    return find_window(volume.voxels[0][steps], window)


def _take_first(value: Any) -> float | None:
    """The first of several values of a header."""
    try:
        return float(value if isinstance(value, str | float | int) else value[0])
    except (TypeError, ValueError, IndexError):
        return None


def _make_capture(
    labels: Sequence[Label], slides: Slides, algorithm: Algorithm, window: tuple[float, float] | None = None
) -> Any:
    """Everything but frames and what is said of each."""
    highdicom = load_extra("highdicom", KIND.name)
    first, comment = slides.files[0], share_frame(slides.files)
    decode_texts(first, KIND)
    require_tags(first, REFERS_TO, KIND)
    fill_unknown(first)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom's warnings quote the patient's name
            capture = _begin_capture(labels, first, algorithm, highdicom)
            capture.SharedFunctionalGroupsSequence = [_describe_frames(slides, highdicom)]
            capture.SourceImageSequence = [_mark_source(name_instance(item)) for item in slides.files]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found, remedy = f"its header makes no {KIND.name} ({error})", f"restore the header, or {KIND.leave}"
        raise SeriesError(first.filename, found, remedy, code="format-unfit") from error
    names = [label.name for label in labels]
    shown = "" if window is None else f"; values from {window[0]:g} to {window[1]:g} are shown"
    capture.DerivationDescription = f"outlines of {', '.join(names)}{shown}"[:SHORT_TEXT]
    capture.ImageComments = " ".join(filter(None, [algorithm.describe(names)[1], comment]))
    _describe_pixels(capture, slides)
    copy_loss(slides.files, capture)
    return capture


def _begin_capture(labels: Sequence[Label], first: FileDataset, algorithm: Algorithm, highdicom: ModuleType) -> Any:
    """Patient, study, series, equipment."""
    about = identify_object(algorithm, highdicom)
    equipment = about.pop("contributing_equipment")
    series, _ = algorithm.describe([label.name for label in labels])
    capture = highdicom.SOPClass(
        study_instance_uid=first.StudyInstanceUID,
        series_number=SERIES_NUMBER,
        sop_class_uid=MultiFrameTrueColorSecondaryCaptureImageStorage,
        modality="OT",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=first.PatientID,
        patient_name=first.PatientName,
        patient_birth_date=first.PatientBirthDate,
        patient_sex=first.PatientSex,
        accession_number=first.AccessionNumber,
        study_id=first.StudyID,
        study_date=first.StudyDate,
        study_time=first.StudyTime,
        referring_physician_name=first.ReferringPhysicianName,
        series_description=series[:LONG_STRING],
        **about,
    )
    capture.copy_patient_and_study_information(first)
    if equipment:
        capture.ContributingEquipmentSequence = equipment
    for name in ("FrameOfReferenceUID", "BodyPartExamined", "RecognizableVisualFeatures"):
        if first.get(name):
            setattr(capture, name, first[name].value)
    capture.PositionReferenceIndicator = first.get("PositionReferenceIndicator", "")
    capture.PatientOrientation = ""  # that of its frames
    capture.ConversionType = "WSD"
    return capture


def _describe_frames(slides: Slides, highdicom: ModuleType) -> Dataset:
    """Functional groups that all frames share."""
    shared, first, step = Dataset(), slides.headers[0], slides.step
    thickness = slides.files[0].get("SliceThickness") or step or None
    spacing = [size / slides.scale for size in first.spacing]
    shared.PixelMeasuresSequence = highdicom.PixelMeasuresSequence(spacing, thickness, step or None)
    shared.PlaneOrientationSequence = highdicom.PlaneOrientationSequence("PATIENT", first.orientation.ravel().tolist())
    return shared


def _describe_frame(slides: Slides, k: int, highdicom: ModuleType) -> Dataset:
    """Functional groups of one frame: which it is, where it lies and of which slice it was made."""
    item, content, derived = Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = [k + 1]
    derived.SourceImageSequence = [_mark_source(slides.name_source(k))]
    derived.DerivationCodeSequence = [_code(codes.DCM.SegmentationImageDerivation)]
    item.FrameContentSequence = [content]
    item.PlanePositionSequence = highdicom.PlanePositionSequence("PATIENT", slides.find_position(k).tolist())
    item.DerivationImageSequence = [derived]
    return item


def _describe_pixels(capture: Any, slides: Slides) -> None:
    """How pixels are laid out, in which order frames come, and what is burnt into them."""
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.DerivationCodeSequence = [_code(codes.DCM.SegmentationImageDerivation)]
    capture.SamplesPerPixel, capture.PhotometricInterpretation, capture.PlanarConfiguration = 3, "RGB", 0
    capture.Rows, capture.Columns = slides.shape
    capture.BitsAllocated, capture.BitsStored, capture.HighBit, capture.PixelRepresentation = 8, 8, 7, 0
    capture.NumberOfFrames = len(slides.headers)
    capture.LossyImageCompression = "00"
    # Names of labels tell nobody's identity; what the source has burnt in may.
    burnt = any(item.get("BurnedInAnnotation") == "YES" for item in slides.files)
    capture.BurnedInAnnotation = "YES" if burnt else "NO"
    organization, index = Dataset(), Dataset()
    organization.DimensionOrganizationUID = index.DimensionOrganizationUID = generate_uid(prefix=None)
    index.DimensionIndexPointer, index.FunctionalGroupPointer = POSITION, POSITIONS
    capture.DimensionOrganizationSequence, capture.DimensionIndexSequence = [organization], [index]
    capture.FrameIncrementPointer = Tag("PerFrameFunctionalGroupsSequence")


def _mark_source(item: Dataset) -> Dataset:
    item.SpatialLocationsPreserved = "YES"
    item.PurposeOfReferenceCodeSequence = [_code(codes.DCM.SourceImageForImageProcessingOperation)]
    return item


def _code(term: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = term.value, term.scheme_designator, term.meaning
    return item


def find_slides(origin: Image) -> Slides:
    """The slices of a series, or the frames of one enhanced image.

    Raises:
        SeriesError: it is neither, or its pictures don't fit one file.
    """
    headers, files = find_files(origin, KIND)
    slides = Slides(headers, files, choose_scale(headers[0].shape))
    if (size := slides.size * len(headers)) > LARGEST:
        found = f"its pictures would take {size / 2**30:.1f} GiB, and a DICOM file holds 4 GiB of plain pixels"
        raise SeriesError(origin.path, found, KIND.leave, code="format-unfit")
    return slides


def _check(origin: Image, table: LabelTable, algorithm: Algorithm) -> None:
    slides = find_slides(origin)
    warn_of_texts(slides.files[0], KIND)
    _make_capture(table.labels, Slides(slides.headers[:1], slides.files[:1], slides.scale), algorithm)


def _write(result: Result, path: Path) -> None:
    volume = next(iter(result.volumes.values())) if result.channels else read_image(result.origin)
    if isinstance(volume, MedunetError):
        raise volume
    write_capture(result.mask, volume, path, find_slides(result.origin), result.algorithm)


FORMAT = Format(name="sc", ending=".sc.dcm", unit="mm", check=_check, write=_write, read=None)
