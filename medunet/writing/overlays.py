"""Draw a slice of an image in grey with the outlines of a mask in the colours of its labels."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from medunet.labels import Label

SMALLEST = 512
"""Pixels along the longer side of a picture that a slice is enlarged to, by a whole number."""
SPELT = str.maketrans({"ß": "ss", "Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "µ": "u", "×": "x"})
"""Letters that the font lacks, and that aren't another one with an accent."""
MISSING = "\U0010ffff"
"""A character that no font draws."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """How slices are drawn.

    Attributes:
        window: values shown black and white.
        labels: of the mask, by their values from 1.
        scale: pixels of a picture along each side of a voxel.
        nothing: what is written where no label is found in any slice; "" where one is.
        objects: voxels hold numbers of objects of the only label, each of which is outlined.
    """

    window: tuple[float, float]
    labels: Sequence[Label]
    scale: int
    nothing: str = ""
    objects: bool = False

    def draw(self, values: npt.NDArray[np.generic], voxels: npt.NDArray[np.unsignedinteger]) -> bytes:
        """A picture of rows times columns times red, green and blue, a byte each.

        Outlines are the outermost pixels of what they enclose, one pixel broad, so that two that touch don't cover
        each other. Names of what the slice shows stand in its upper left corner.

        Args:
            values: of the slice, (I, J): columns and rows.
            voxels: of the mask, (I, J).
        """
        low, high = self.window
        grey = np.clip((np.nan_to_num(values.astype(np.float32), nan=low) - low) / (high - low), 0, 1)
        shown = _enlarge((grey * 255).round().astype(np.uint8).T, self.scale)
        kept = voxels if self.objects else np.where(voxels > len(self.labels), 0, voxels)
        numbers = _enlarge(kept.T, self.scale)
        classes = np.minimum(numbers, len(self.labels))
        picture, edges = np.repeat(shown[..., None], 3, axis=-1), find_edges(numbers)
        picture[edges] = np.array([(0, 0, 0), *(label.colour for label in self.labels)], np.uint8)[classes[edges]]
        there = set(np.unique(classes).tolist())
        return self._write_names(picture, [label for label in self.labels if label.value in there]).tobytes()

    def _write_names(self, picture: npt.NDArray[np.uint8], found: Sequence[Label]) -> npt.NDArray[np.uint8]:
        """Names of labels in their colours, as many as there is room for."""
        lines = [(spell_name(label), label.colour) for label in found] or [(self.nothing, (255, 255, 255))]
        if not any(text for text, _ in lines):
            return picture
        size = max(9, max(picture.shape) // 36)
        high = size * 5 // 4
        room = max(1, picture.shape[0] // high - 1)
        if len(lines) > room:
            more = len(lines) - room + 1
            lines = [*lines[: room - 1], (f"and {more} more", (255, 255, 255))]
        image = Image.fromarray(picture)
        pen, font = ImageDraw.Draw(image), ImageFont.load_default(size)
        for number, (text, colour) in enumerate(lines):
            place = (size // 2, size // 3 + number * high)
            pen.text(place, text, fill=colour, font=font, stroke_width=max(1, size // 10), stroke_fill=(0, 0, 0))
        return np.asarray(image)


def choose_scale(shape: Sequence[int]) -> int:
    """How many times a slice of these columns and rows is enlarged."""
    return max(1, SMALLEST // max(shape))


def find_edges(classes: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.bool_]:
    """Pixels above 0 of a plane that share an edge with another number, or with the border of the plane."""
    around = np.pad(classes, 1)
    differ = np.zeros(classes.shape, np.bool_)
    for beside in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]):
        differ |= classes != beside
    edges: npt.NDArray[np.bool_] = differ & (classes > 0)
    return edges


def spell_name(label: Label) -> str:
    """The name of a label without the accents that the font lacks; its number where it has no such letters at all."""
    plain = unicodedata.normalize("NFKD", label.name.translate(SPELT))
    name = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return name if all(_is_drawn(letter) for letter in name) else f"label {label.value}"


@cache
def _is_drawn(letter: str) -> bool:
    font = ImageFont.load_default(20)
    shapes = [font.getmask(text) for text in (letter, MISSING)]
    return letter == " " or len({(shape.size, bytes(shape)) for shape in shapes}) == 2


def _enlarge(plane: npt.NDArray[Any], scale: int) -> npt.NDArray[Any]:
    return plane if scale == 1 else plane.repeat(scale, axis=0).repeat(scale, axis=1)
