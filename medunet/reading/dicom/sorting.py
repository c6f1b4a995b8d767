"""Sort the files of a folder by what their headers say: images by series, labels, and all that is set aside."""

import zipfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from pydicom.errors import InvalidDicomError

from medunet.errors import SeriesError, refuse_damage
from medunet.reading.dicom.elements import read_begin, read_dataset
from medunet.reading.dicom.file_headers import FileHeader, Stamp, keep_header, stamp_file
from medunet.reading.dicom.images import SLICES, FoundImage, describe_class, take_image
from medunet.reading.dicom.objects import RTSTRUCT, SEG, LabelFile, describe_labels

NO_IMAGES = {"RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG", "DOC"}
LOCALIZER = "a localizer"


class Sorter:
    """Sorts files as they are read: images by series, labels, and all that is set aside.

    Args:
        keep: headers are kept whole.

    Attributes:
        images: by SeriesInstanceUID.
        labels: RTSTRUCT and DICOM SEG files.
        others: path and reason of what is neither.
        misfits: by SeriesInstanceUID, for the UID of an object that is no image what it is instead.
        localizers: how many, by SeriesInstanceUID.
        damaged: images that can't be read, by SeriesInstanceUID.
        unknown: files that can't be read and don't say what they are.
    """

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._lost: list[SeriesError] = []
        self.images: dict[str, list[FoundImage]] = defaultdict(list)
        self.labels: list[LabelFile] = []
        self.others: list[tuple[str, str]] = []
        self.misfits: dict[str, dict[str, str]] = defaultdict(dict)
        self.localizers: Counter[str] = Counter()
        self.damaged: dict[str, list[SeriesError]] = defaultdict(list)
        self.unknown: list[SeriesError] = []

    def take(self, path: Path) -> None:
        """Read the header of a file and sort it."""
        try:
            with refuse_damage(path, SeriesError):
                self._sort(path, stamp_file(path), *_read_dataset(path))
        except SeriesError as error:
            self._sort_damaged(error)

    def _sort(self, path: Path, stamp: Stamp, dataset: Any, reason: str) -> None:
        if dataset is None:
            self.others.append((str(path), reason))
        elif reason in (RTSTRUCT, SEG):
            self.labels.append(describe_labels(dataset, str(path)))
        elif reason:
            self._leave_out(path, dataset, reason)
        else:
            group = self.images[str(dataset.get("SeriesInstanceUID") or "")]
            kept = keep_header(dataset, group[-1].file.kept if group else None) if self._keep else None
            group.append(take_image(dataset, FileHeader(str(path), stamp, kept)))

    def _leave_out(self, path: Path, dataset: Any, reason: str) -> None:
        self.others.append((str(path), reason))
        uid = str(dataset.get("SeriesInstanceUID"))
        if reason == LOCALIZER:
            self.localizers[uid] += 1
        else:
            name = str(dataset.get("SOPInstanceUID") or path.name)
            self.misfits[uid][name] = describe_class(str(dataset.get("SOPClassUID") or ""))

    def _sort_damaged(self, error: SeriesError) -> None:
        """Sort a file that can't be read by what its header still says."""
        dataset = read_begin(error.subject)
        if dataset is None or not (dataset.get("SeriesInstanceUID") or dataset.get("Modality")):
            self.unknown.append(error)
        elif find_reason(dataset):
            self._lost.append(error)
        elif uid := dataset.get("SeriesInstanceUID"):
            self.damaged[str(uid)].append(error)
        else:
            self.unknown.append(error)

    def list_damaged(self) -> list[SeriesError]:
        """All that can't be read but images of a series that has others."""
        alone = [error for uid, errors in self.damaged.items() if uid not in self.images for error in errors]
        return [*self._lost, *self.unknown, *alone]


def _read_dataset(path: Path) -> tuple[Any, str]:
    """A dataset without pixels, None for a file that is none; and the reason why it is set aside, if it is."""
    try:
        dataset = read_dataset(path)
    except InvalidDicomError:
        if path.suffix.lower() == ".dcm":
            found = "it is called .dcm but is no DICOM file"
            raise SeriesError(path, found, "restore it or take it away", code="file-damaged") from None
        return None, "a zip archive, to be unpacked first" if zipfile.is_zipfile(path) else "no DICOM file"
    except (OSError, EOFError, ValueError, RecursionError, AttributeError, NotImplementedError) as error:
        found = f"its header can't be read ({error})"
        raise SeriesError(path, found, "restore the file or take it away", code="file-damaged") from None
    if "DirectoryRecordSequence" in dataset:
        return None, "a DICOMDIR"
    return dataset, find_reason(dataset)


def find_reason(dataset: Any) -> str:
    """Why an object is no slice of a series; RTSTRUCT or SEG for labels, "" for an image."""
    modality = str(dataset.get("Modality") or "an object")
    if modality in (RTSTRUCT, SEG):
        return modality
    if modality in NO_IMAGES:
        return f"{modality} is no image"
    # To set a slice aside whose header broke off would be to lose it without a word.
    if "Rows" not in dataset and dataset.get("SOPClassUID") not in SLICES:
        return f"{modality} is no image"
    image_type = dataset.get("ImageType") or []
    if "LOCALIZER" in ([image_type] if isinstance(image_type, str) else image_type):
        return LOCALIZER
    return ""
