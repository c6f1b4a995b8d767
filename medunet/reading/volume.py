"""Any path to a volume or a mask: the only place that knows which reader is for what."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from medunet.errors import InputError, LabelError, MissingInputError, SeriesError, refuse_damage
from medunet.files import check_input
from medunet.findings import Note
from medunet.geometry import Grid, Points, check_same_grid, turn_voxels
from medunet.labels import LabelTable, Mask, check_label_values, map_values
from medunet.reading.dicom.objects import ANYWHERE, RTSTRUCT, SEG, Place, check_frame_of_reference, read_object
from medunet.reading.dicom.series import Contents, Series, find_series, sort_series, tabulate_series
from medunet.reading.dicom.stored import PLUGINS
from medunet.reading.dicom.values import decode_series
from medunet.reading.files.itk import read_itk
from medunet.reading.files.nifti import find_nifti_grid, read_nifti
from medunet.reading.files.png import read_indices, read_picture
from medunet.reading.labels.contours import check_slices, is_whole, rasterize, take_contours
from medunet.reading.labels.painting import Painting
from medunet.reading.labels.segmentations import NOTHING_SAID, place_segments
from medunet.reading.options import DEFAULTS, LabelOptions, ReadOptions
from medunet.records import suggest
from medunet.scratch import IN_MEMORY, Room

Read = tuple[npt.NDArray[np.generic], Grid, tuple[Note, ...]]
Readers = Mapping[str, Callable[[Path], Read]]
ITK = (".nrrd", ".nhdr", ".mha", ".mhd")
IMAGES: Readers = {".nii": read_nifti, ".nii.gz": read_nifti, **dict.fromkeys(ITK, read_itk), ".png": read_picture}
"""Reader of one file by the end of its name; everything else is looked at as DICOM."""
ENDINGS = tuple(sorted((*IMAGES, ".dcm"), key=len, reverse=True))
"""Of files of images, the longest first."""
LABEL_MAPS: Readers = {**IMAGES, ".png": read_indices}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a volume came from; empty where the format doesn't say.

    Attributes:
        path: as it was given.
        modality: DICOM modality.
        patient_id: PatientID.
        study_uid: StudyInstanceUID.
        series_uid: SeriesInstanceUID.
        frame_of_reference_uid: FrameOfReferenceUID.
        units: of the values: HU, SUVbw, or what the Units of a PET say.
        notes: what was repaired or is odd.
    """

    path: str
    modality: str = ""
    patient_id: str = ""
    study_uid: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    units: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """An image.

    Attributes:
        voxels: (C, I, J, K); C counts the components of one file (colours, or the volumes of a 4-D NIfTI).
        grid: where they lie.
        source: where they came from.
    """

    voxels: npt.NDArray[np.generic]
    grid: Grid
    source: Source

    def __repr__(self) -> str:
        return f"Volume({self.describe()}, {self.source.path})"

    def describe(self) -> str:
        """In words: `CT of 512 × 512 × 120 voxels of 0.98 × 0.98 × 3 mm in HU`; `an image` where nothing says more."""
        kind = self.source.modality or ("a picture" if self.grid.unit == "px" else "an image")
        several = f" with {len(self.voxels)} components" if len(self.voxels) > 1 else ""
        units = f" in {self.source.units}" if self.source.units else ""
        return f"{kind} of {self.grid.describe()}{several}{units}"

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the voxels as a NIfTI file, or those of a picture as a PNG; it is read back and compared.

        Where a volume came from and its unit of values are not kept: no such file has a place for them.

        Args:
            path: ends with `.nii.gz` or `.nii`, or for a picture with `.png`.
            overwrite: replace a file that exists.

        Returns:
            The path.

        Raises:
            OutputExistsError: the file exists.
            InputError: the ending isn't one of these, or doesn't fit the volume.
            ResourceError: the file can't be written, or what was read back differs.
        """
        from medunet.saving import save_volume  # it reads back what it wrote, so it lies below the readers

        return save_volume(self, Path(path), overwrite=overwrite)


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image that was found, to be read.

    Attributes:
        path: as it was given.
        options: how to read it.
        series: the DICOM series that it is, with its headers; None for a file of another format.
    """

    path: str
    options: ReadOptions = DEFAULTS
    series: Series | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ImageSize:
    """How large an image is.

    Attributes:
        grid: where its voxels lie.
        components: of a voxel.
        value_bytes: of a component as it is read; of DICOM 2, or 4 for PET, whatever is found in the slices.
        packed: whether child processes unpack it.
    """

    grid: Grid
    components: int
    value_bytes: int
    packed: bool = False


def find_image(path: Path | str, options: ReadOptions = DEFAULTS, *, keep: bool = True) -> Image:
    """Find out what a path is: a file, or which DICOM series.

    Args:
        path: NIfTI, NRRD, MHA, PNG, or a folder of DICOM files.
        options: which series it is, and how to read it.
        keep: headers of the series are kept whole, as of `find_series`.

    Raises:
        MissingInputError: there is nothing to read.
        SeriesError: several series and none chosen.
        InputError: a series or phase is wanted of a file that has none.
    """
    path = Path(path)
    check_input(path)
    if is_image_file(path):
        if options.series or options.phase:
            found = "it is a file without series or phases"
            raise InputError(path, found, "leave them out, or give the DICOM series", code="choice-unknown")
        return Image(str(path), options)
    return Image(str(path), options, choose_series(path, options.series, find_series(path, keep=keep)))


def read_volume(path: Path | str | Series, options: ReadOptions = DEFAULTS) -> Volume:
    """Read a file, or a folder that holds one DICOM series.

    Args:
        path: NIfTI, NRRD, MHA, PNG, or a folder of DICOM files; or a series that was found already.
        options: which series and which image of it, and what its headers leave open.

    Returns:
        The volume: voxels (1, I, J, K) in HU for CT, in SUV for PET whose headers allow it, else in the units of the
        file; int16 where DICOM values are whole and fit, else float32; NIfTI, NRRD and MHA keep their integer type.

    Raises:
        MissingInputError: there is nothing to read.
        SeriesError: several series or phases and none chosen, or an irregular series.
        GeometryError: a NIfTI, NRRD or MHA file doesn't say where its voxels lie.
        InputError: the file is damaged or no volume.

    Example:
        >>> volume = read_volume("scans/CT")
        >>> volume
        Volume(CT of 12 × 10 × 6 voxels of 0.7 × 1.1 × 3 mm in HU, scans/CT)
        >>> volume.voxels.shape, volume.voxels.dtype.name
        ((1, 12, 10, 6), 'int16')
    """
    return read_image(Image(path.folder, options, path) if isinstance(path, Series) else find_image(path, options))


def read_image(image: Image, room: Room | None = None) -> Volume:
    """Read an image that was found; returns and raises what `read_volume` does.

    Args:
        image: as found.
        room: where the voxels lie; in memory if not given. NRRD, MHA and PNG are read in memory at first.
    """
    if image.series is None:
        return _read_file(Path(image.path), image.options, room)
    series = image.series
    decoded = decode_series(series, image.options, room or IN_MEMORY)
    source = Source(
        path=image.path,
        modality=series.modality,
        patient_id=series.patient_id,
        study_uid=series.study_uid,
        series_uid=series.uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
        units=decoded.units,
        notes=decoded.notes,
    )
    return Volume(decoded.voxels, decoded.grid, source)


def measure_image(image: Image) -> ImageSize | None:
    """How large an image is, by its headers; None where only reading it tells (NRRD, MHA, PNG). Errors as of reading.

    Args:
        image: as found.
    """
    if image.series is not None:
        headers, grid, _ = sort_series(image.series, image.options.phase)
        packed = headers[0].open().file_meta.get("TransferSyntaxUID") in PLUGINS
        return ImageSize(grid, 1, 4 if image.series.modality == "PT" else 2, packed)
    path = Path(image.path)
    if _find_reader(path, IMAGES) is not read_nifti:
        return None
    with refuse_damage(path):
        components, size, grid = find_nifti_grid(path, image.options.prefer)
    return ImageSize(grid, components, size)


def _read_file(path: Path, options: ReadOptions, room: Room | None = None) -> Volume:
    read = _find_reader(path, IMAGES)
    if read is None:
        raise MissingInputError(path, "there is no such file or folder", "check the path", code="path-missing")
    with refuse_damage(path):
        voxels, grid, notes = read_nifti(path, options.prefer, room) if read is read_nifti else read(path)
    return Volume(voxels, grid, Source(path=str(path), notes=notes))


def is_image_file(path: Path) -> bool:
    """Whether a file is read as an image by its name; others are looked at as DICOM."""
    return _find_reader(path, IMAGES) is not None


def strip_ending(name: str, endings: Sequence[str] = ENDINGS) -> str:
    """Name of a file without the ending of an image format, or without the first of other ones that it has."""
    ending = next((end for end in endings if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def _find_reader(path: Path, readers: Readers) -> Callable[[Path], Read] | None:
    name = path.name.lower()
    return next((read for end, read in readers.items() if name.endswith(end)), None) if path.is_file() else None


def choose_series(path: Path, uid: str | None, findings: Contents) -> Series:
    """The DICOM series of a folder, by SeriesInstanceUID where it holds several; errors as of `find_image`."""
    found = findings.series
    if not found:
        if findings.damaged:
            raise findings.damaged[0]
        aside = "; ".join(f"{name}: {why}" for name, why in findings.others[:3])
        said = f"it holds no image{f' ({aside})' if aside else ''}"
        said = "it is empty" if path.is_dir() and not any(path.iterdir()) else said
        remedy = "give a folder of DICOM files, or NIfTI, NRRD, MHA or PNG"
        raise MissingInputError(path, said, remedy, code="path-missing")
    fitting = [item for item in found if uid is None or item.uid == uid]
    if len(fitting) == 1:
        return fitting[0]
    listed = tabulate_series(found)
    if not fitting:
        raise SeriesError(path, f"it holds no series {uid}", f"choose one of these:{listed}", code="choice-unknown")
    remedy = f"choose one of these with --series [NAME=]UID:{listed}"
    raise SeriesError(path, f"it holds {len(found)} series", remedy, code="several-series")


def read_mask(
    path: Path | str,
    grid: Grid,
    table: LabelTable,
    names: Mapping[str, str] | None = None,
    place: Place = ANYWHERE,
    options: LabelOptions = NOTHING_SAID,
) -> Mask:
    """Read labels on the grid of their image.

    Args:
        path: a label map (NIfTI, NRRD, MHA, PNG) on that grid, an RTSTRUCT or a DICOM SEG.
        grid: of the image.
        table: the labels that may occur; where it says so, a label map numbers the objects of the only one.
        names: structure of an RTSTRUCT or segment of a SEG for each label; the label's own name where not given, none
            where it is empty.
        place: of the image, in whose frame of reference RTSTRUCT and SEG must lie, or whose slices they must name.
        options: what values of a label map mean, and which label has voxels that several structures share.

    Raises:
        GeometryError: the label map or SEG lies on another grid.
        LabelError: a value, a label, a structure or a segment is unknown, or some overlap.
        MissingInputError: there is no such file.
        InputError: the label map is damaged or no volume.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInputError(path, "there is no such file", "check the path", code="path-missing")
    if read := _find_reader(path, LABEL_MAPS):
        turned, own = turn_voxels(*_read_map(path, read), grid)
        check_same_grid(own, grid, str(path), "its image")
        kind: Literal["classes", "instances"] = "instances" if table.objects else "classes"
        turned = map_values(turned, options.label_values, str(path))
        return Mask(kind, check_label_values(turned, table, str(path)), grid, table)
    for name in names or {}:
        if name not in table.names:
            found = f"a structure is given for the unknown label '{name}'"
            raise LabelError(path, found, suggest(name, [*table.names]), code="label-unknown")
    with refuse_damage(path, LabelError):
        dataset = read_object(path, RTSTRUCT, SEG)
        if dataset.Modality == SEG:
            return place_segments(dataset, path, grid, table, names, place, options)
        if not check_frame_of_reference(dataset, place, path):
            check_slices(dataset, place, grid, path)
        contours, whole = take_contours(dataset, path), is_whole(dataset)
    painting = Painting(grid.shape, table, options, str(path), "structures")
    _fill_contours(contours, {name: (names or {}).get(name, name) for name in table.names}, grid, painting, whole=whole)
    return Mask("classes", painting.finish(), grid, table)


def _fill_contours(
    contours: Mapping[str, list[Points]], names: Mapping[str, str], grid: Grid, painting: Painting, *, whole: bool
) -> None:
    """Paint the structure of each label, in the order of their values."""
    for value, roi in enumerate(names.values(), 1):
        if not roi:
            continue
        if roi not in contours:
            found, remedy = f"it has no structure '{roi}'", suggest(roi, sorted(contours))
            raise LabelError(painting.subject, found, remedy, code="label-unknown")
        painting.paint(rasterize(contours[roi], grid, f"{painting.subject} {roi}", whole=whole), value)


def _read_map(path: Path, read: Callable[[Path], Read]) -> tuple[npt.NDArray[np.generic], Grid]:
    with refuse_damage(path):
        voxels, grid, _ = read(path)
    if len(voxels) > 1:
        found = f"it holds {len(voxels)} components"
        raise LabelError(path, found, "store one number a voxel", "a label map", code="not-an-image")
    return voxels[0], grid


def read_label_map(path: Path) -> npt.NDArray[np.generic]:
    """The stored values (I, J, K) of a label map (NIfTI, NRRD, MHA, PNG), wherever they lie; errors as `read_mask`."""
    return read_placed_map(path)[0]


def read_placed_map(path: Path) -> tuple[npt.NDArray[np.generic], Grid]:
    """The stored values (I, J, K) of a label map and the grid on which they lie; errors as `read_mask`."""
    read = _find_reader(path, LABEL_MAPS)
    if read is None:
        raise MissingInputError(path, "there is no such label map", "check the path", code="path-missing")
    return _read_map(path, read)


__all__ = [
    "Image",
    "ImageSize",
    "Source",
    "Volume",
    "find_image",
    "measure_image",
    "read_image",
    "read_mask",
    "read_volume",
]
