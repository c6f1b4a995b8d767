"""Write the probabilities of a prediction as a FRACTIONAL SEG: a segment of each class, 8 bits a pixel.

Planes are written one by one, as the maps of a prediction lie in a file. The background has no segment: of classes it
is what the others leave.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from pydicom import FileDataset
from pydicom.pixels.utils import iter_pixels

from medunet.algorithms import Algorithm
from medunet.errors import ResourceError, SeriesError
from medunet.labels import COLOURS, Label, LabelTable
from medunet.reading import Image
from medunet.writing.frames import LARGEST, write_frames
from medunet.writing.interface import Format, Probabilities, Result
from medunet.writing.probabilities import STEPS, cut_planes
from medunet.writing.seg import check_source
from medunet.writing.segments import Encoding, make_skeleton
from medunet.writing.sources import Kind, find_files, order_frames

FRACTIONAL = Encoding(Kind("DICOM SEG", "seg-fractional"), "FRACTIONAL")


def write_fractions(
    probabilities: Probabilities,
    segments: Sequence[Label],
    path: Path,
    slices: Sequence[FileDataset],
    algorithm: Algorithm,
    order: Sequence[int] | None = None,
) -> None:
    """Write maps of probabilities as a DICOM Segmentation.

    Args:
        probabilities: on the grid of the slices; they may lie in a file: a few planes of a map are in memory at a time.
        segments: what each output is called, numbered from 1, without the background.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        slices: as of `seg.write_segmentation`.
        algorithm: what made them.
        order: as of `seg.write_segmentation`.

    Raises:
        ExtraError: highdicom isn't installed.
        SeriesError: the headers of the series make no segmentation.
        ResourceError: the disk is full, or what was read back differs.
    """
    maps = probabilities.maps[len(probabilities.maps) - len(segments) :]
    skeleton = make_skeleton(segments, slices, algorithm, FRACTIONAL, order)
    dataset, count = skeleton.dataset, maps.shape[3]
    dataset.SegmentationType, dataset.SegmentationFractionalType = "FRACTIONAL", "PROBABILITY"
    dataset.MaximumFractionalValue, dataset.SegmentsOverlap = STEPS, "UNDEFINED"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    frames = [(label.value, k) for label in segments for k in range(count)]
    skeleton.count_frames(frames)
    write_frames(dataset, path, skeleton.list_groups(frames), cut_planes(maps), maps.size)
    read = iter_pixels(path)
    for piece in cut_planes(maps):
        planes = len(piece) // (maps.shape[1] * maps.shape[2])
        if b"".join(plane.tobytes() for plane in islice(read, planes)) != piece:
            found = "what was read back differs from what was written"
            raise ResourceError(path, found, "check the disk", code="output-differs")


def list_segments(names: Sequence[str], table: LabelTable) -> list[Label]:
    """A segment for each output, by its name: labels keep colours and terms, regions the colour that they are drawn in.

    Interior and border of objects, and what else has no label, are called by their names alone.
    """
    known = {label.name: label for label in table.labels}
    painted = {region.name: table.labels[region.value - 1].colour for region in table.regions}
    segments = []
    for number, name in enumerate(names, 1):
        colour = painted.get(name, COLOURS[(number - 1) % len(COLOURS)])
        label = known.get(name, Label(value=number, name=name, colour=colour))
        segments.append(label.model_copy(update={"value": number}))
    return segments


def _check(origin: Image, table: LabelTable, algorithm: Algorithm) -> None:
    headers, slices = find_files(origin, FRACTIONAL.kind)
    segments = list_segments([item.name for item in table.structures], table)
    check_source(slices[0], segments, algorithm, FRACTIONAL)
    columns, rows = headers[0].shape
    if (size := len(segments) * len(headers) * columns * rows) > LARGEST:
        found = f"its probabilities would take {size / 2**30:.1f} GiB, and a DICOM file holds 4 GiB of plain pixels"
        raise SeriesError(origin.path, found, "choose probabilities in place of seg-fractional", code="format-unfit")


def _write(result: Result, path: Path) -> None:
    if result.probabilities is None:
        raise ValueError("nobody kept the probabilities of this mask")
    headers, slices = find_files(result.origin, FRACTIONAL.kind)
    names = result.probabilities.names[1 if result.probabilities.exclusive else 0 :]
    segments = list_segments(names, result.mask.table)
    write_fractions(result.probabilities, segments, path, slices, result.algorithm, order_frames(headers))


FORMAT = Format(
    name="seg-fractional",
    ending=".seg-fractional.dcm",
    unit="mm",
    check=_check,
    write=_write,
    read=None,
    likely=True,
)
