"""Enhanced multi-frame images made of single slices, with their geometry and rescale in functional groups."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian

SHARED = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
}
OWN = {"PlanePositionSequence": ("ImagePositionPatient",)}
Edit = Callable[[Dataset, int], None]


def _move(source: Dataset, names: Sequence[str]) -> Dataset:
    item = Dataset()
    for name in names:
        if name in source:
            item[name] = source[name]
    return item


def write_enhanced(path: Path, series: Sequence[Path], edit: Edit = lambda _frame, _number: None) -> None:
    """Join the files of single slices to one file, a frame a file, in the order given.

    Args:
        path: the file.
        series: files of single slices.
        edit: changes the functional groups of each frame, which has a FrameContentSequence.
    """
    slices = [dcmread(item) for item in series]
    whole = dcmread(series[0])
    frames = []
    for number, dataset in enumerate(slices):
        frame = Dataset()
        for group, names in OWN.items():
            setattr(frame, group, [_move(dataset, names)])
        content = Dataset()
        content.StackID, content.InStackPositionNumber = "1", number + 1
        content.DimensionIndexValues = [1, number + 1]
        frame.FrameContentSequence = [content]
        edit(frame, number)
        frames.append(frame)
    shared = Dataset()
    for group, names in SHARED.items():
        setattr(shared, group, [_move(slices[0], names)])
        for name in names:
            del whole[name]
    del whole["ImagePositionPatient"]
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    whole.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = [shared], frames
    whole.DimensionIndexSequence = [point_to("StackID"), point_to("InStackPositionNumber")]
    whole.NumberOfFrames = len(frames)
    whole.PixelData = b"".join(dataset.PixelData for dataset in slices)
    whole.save_as(path, enforce_file_format=True)


def point_to(keyword: str) -> Dataset:
    """A dimension of frames."""
    item = Dataset()
    item.DimensionIndexPointer = tag_for_keyword(keyword)
    return item
