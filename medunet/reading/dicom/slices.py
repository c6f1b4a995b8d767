"""Decode the slices of a series in their order."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from medunet.children.decoding import MOST_WORKERS
from medunet.errors import SeriesError, refuse_damage
from medunet.findings import Note
from medunet.reading.dicom.frames import describe_frames
from medunet.reading.dicom.headers import Header
from medunet.reading.dicom.stored import LOSSY, Array, open_stored

GREY = ("MONOCHROME1", "MONOCHROME2")
AHEAD = 2 * MOST_WORKERS
"""Slices that are begun before the one that is waited for is there."""
T = TypeVar("T")
_Head = tuple[int, str, Any, Any, tuple[Note, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Stored values of one slice.

    Attributes:
        k: its place in the volume.
        subject: its file, and the frame in it, for messages.
        dataset: what describes it: its file, or one frame as if it were one.
        file: the file.
        notes: what is odd about it.
        pixels: stored values (J, I).
    """

    k: int
    subject: str
    dataset: Any
    file: Any
    notes: tuple[Note, ...]
    pixels: Array


def decode_slices(headers: list[Header]) -> Iterator[Slice]:
    """Decode slices, all frames of a file together; while one is worked with, those that follow are decoded.

    Args:
        headers: in the order of the volume.

    Raises:
        SeriesError: a slice can't be decoded exactly.
    """
    for head, pixels in _take_ahead(_open_slices(headers)):
        yield Slice(*head, pixels)


def _take_ahead(opened: Iterable[tuple[T, Callable[[], Array]]]) -> Iterator[tuple[T, Array]]:
    """Wait for arrays in their order, while those that follow are worked on already.

    Args:
        opened: for each array what belongs to it, and what waits for it.
    """
    waiting: deque[tuple[T, Callable[[], Array]]] = deque()
    for item in opened:
        waiting.append(item)
        if len(waiting) > AHEAD:
            head, wait = waiting.popleft()
            yield head, wait()
    for head, wait in waiting:
        yield head, wait()


def _open_slices(headers: list[Header]) -> Iterator[tuple[_Head, Callable[[], Array]]]:
    by_file: dict[str, list[int]] = defaultdict(list)
    for k, header in enumerate(headers):
        by_file[header.path].append(k)
    for path, ks in by_file.items():
        with refuse_damage(path, SeriesError):
            file = headers[ks[0]].open()
            _check_colour(file, path)
            stored = open_stored(file, path)
            described = [file] if headers[ks[0]].frame is None else list(describe_frames(file))
        for k in ks:
            frame = headers[k].frame or 0
            yield (k, headers[k].subject, described[frame], file, stored.notes), stored.read(frame)


def read_planes(file: Any, path: str, frames: list[int]) -> Iterator[Array]:
    """Stored values (J, I) of frames, in the order in which they are wanted.

    Args:
        file: the header of a multi-frame file; its pixels are read frame by frame.
        path: of the file.
        frames: their numbers, from 0.

    Raises:
        SeriesError: the file doesn't hold all its frames, or one can't be decoded exactly.
    """
    stored = open_stored(file, path)
    for _, pixels in _take_ahead((frame, stored.read(frame)) for frame in frames):
        yield pixels


def is_grey(file: Any) -> bool:
    """Whether the pixels of a file are single numbers; a header that says nothing of colours isn't grey."""
    return file.get("SamplesPerPixel", 1) == 1 and str(file.get("PhotometricInterpretation") or "") in GREY


def _check_colour(file: Any, path: str) -> None:
    if not is_grey(file):
        found = f"it is a colour image ({file.get('PhotometricInterpretation') or ''})"
        raise SeriesError(path, found, "give the original series, not a screenshot", code="not-an-image")


def find_oddities(file: Any) -> tuple[Note, ...]:
    """Notes of what is odd about a file whose values are right."""
    found = []
    if file.get("PhotometricInterpretation") == "MONOCHROME1":
        found.append(Note("monochrome1", "MONOCHROME1: values are kept as stored"))
    if file.get("LossyImageCompression") == "01" or file.file_meta.TransferSyntaxUID in LOSSY:
        found.append(Note("compressed-with-loss", "the image may have been compressed with loss"))
    return tuple(found)
