"""Write a mask as DICOM SEG on the series that it was made from."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset
from pydicom.uid import RLELossless

from medunet.algorithms import Algorithm
from medunet.errors import SeriesError
from medunet.labels import Label, LabelTable, Mask
from medunet.reading import Image, read_segmentation
from medunet.terms import GENERIC, find_terms
from medunet.writing.frames import write_frames
from medunet.writing.interface import Format, Result
from medunet.writing.segments import Encoding, make_segmentation, make_skeleton
from medunet.writing.sources import Kind, check_same, find_files, order_frames, warn_of_texts

LOGGER = logging.getLogger(__name__)
MOST_FRAMES = 50_000
"""Of a SEG, which is as many as our reader takes."""
SEG = Kind("DICOM SEG", "seg")
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
    write = _write_label_map if encoding.type == "LABELMAP" else _write_binary
    write(mask, path, slices, algorithm, encoding, order)
    check_same(read_back(path, mask), mask, path)


def _write_label_map(
    mask: Mask,
    path: Path,
    slices: Sequence[FileDataset],
    algorithm: Algorithm,
    encoding: Encoding,
    order: Sequence[int] | None,
) -> None:
    voxels = mask.voxels if order is None else mask.voxels[:, :, order]
    dataset = make_segmentation(voxels, mask.table.labels, slices, algorithm, encoding)
    if encoding.packed:
        # By pydicom alone, since GDCM's encoder crashes on some sizes.
        dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


def _write_binary(
    mask: Mask,
    path: Path,
    slices: Sequence[FileDataset],
    algorithm: Algorithm,
    encoding: Encoding,
    order: Sequence[int] | None,
) -> None:
    """A frame at a time, since those of 100 labels take more than a gigabyte."""
    labels, planes = mask.table.labels, np.ascontiguousarray(mask.voxels.transpose(2, 1, 0))
    skeleton = make_skeleton(labels, slices, algorithm, encoding, order)
    shown = [{*np.flatnonzero(np.bincount(plane.ravel())).tolist()} - {0} for plane in planes]
    omit = encoding.omit and any(shown)
    frames = [(x.value, k) for x in labels for k in range(len(planes)) if x.value in shown[k] or not omit]
    skeleton.count_frames(frames)
    nothing = np.zeros(planes[0].shape, np.bool_)
    drawn = (planes[k] == number if number in shown[k] else nothing for number, k in frames)
    size = -(-len(frames) * nothing.size // 8)
    write_frames(skeleton.dataset, path, skeleton.list_groups(frames), pack_bits(drawn), size)


def pack_bits(planes: Iterable[npt.NDArray[np.bool_]]) -> Iterator[bytes]:
    """Pixels of a bit each, the lowest bit of a byte first; frames follow each other without padding (PS3.5 8.1.1)."""
    rest = np.zeros(0, np.bool_)
    for plane in planes:
        bits = np.concatenate([rest, plane.ravel()]) if len(rest) else plane.ravel()
        whole = len(bits) // 8 * 8
        yield np.packbits(bits[:whole], bitorder="little").tobytes()
        rest = bits[whole:]
    yield np.packbits(rest, bitorder="little").tobytes()


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
    frames = range(int(first.NumberOfFrames)) if "PerFrameFunctionalGroupsSequence" in first else None
    make_skeleton(labels, [first], algorithm, encoding, frames)
    for label in labels:
        if find_terms(label)[1] == GENERIC:
            LOGGER.warning(
                "label %s: no coded term is known for it, so the SEG calls it %s (SNOMED CT %s); name one in "
                "labels of configs/plan.json, or of cohort.json before medunet init or for convert --labels",
                *(label.name, GENERIC.meaning, GENERIC.value),
            )


def _check(origin: Image, table: LabelTable, algorithm: Algorithm, *, encoding: Encoding) -> None:
    headers, slices = find_files(origin, encoding.kind)
    if encoding.type == "BINARY" and not encoding.omit and (count := len(headers) * len(table.labels)) > MOST_FRAMES:
        found = f"a frame for each of {len(table.labels)} labels and {len(headers)} slices is {count} frames"
        remedy = "choose seg-labelmap, or leave empty frames out with --seg-empty-frames omit"
        raise SeriesError(origin.path, f"{found}, more than programs read", remedy, code="format-unfit")
    check_source(slices[0], table.labels, algorithm, encoding)


def _write(result: Result, path: Path, *, encoding: Encoding) -> None:
    headers, slices = find_files(result.origin, encoding.kind)
    write_segmentation(
        result.mask.join_objects(),
        path,
        slices,
        result.algorithm,
        lambda part, mask: read_segmentation(part, mask.grid, mask.table),
        encoding,
        order_frames(headers),
    )


def omit_empty_frames(row: Format) -> Format:
    """A format whose SEG has no frames without a voxel; other formats stay as they are."""
    if row.name != FORMAT.name:
        return row
    encoding = replace(BINARY, omit=True)
    check, write = partial(_check, encoding=encoding), partial(_write, encoding=encoding)
    return replace(row, check=check, write=write, variant="seg-empty-frames=omit")


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
