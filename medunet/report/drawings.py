"""Pictures of a case for people: two slices with the outlines of truth and prediction.

Slices are shown as radiologists hang them: axial from below with the patient's right on the left and the front up,
coronal from the front with the patient's right on the left and the head up. Pictures (grids of pixels) are shown as
they are, in their colours.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from medunet.geometry import Grid
from medunet.labels import Mask
from medunet.parts import Voxels
from medunet.reading import Volume
from medunet.windows import SOFT_TISSUE, find_window

Colour = tuple[int, int, int]
Outline = tuple[Voxels, Colour, int]
"""A mask of a plane, the colour of its outline and how broad that is, in pixels of a picture twice as large."""

TRUTH: Colour = (64, 214, 190)
"""Green-blue, told apart from the orange by people who confuse red and green as well."""
PREDICTION: Colour = (255, 122, 50)
INK: Colour = (226, 230, 236)
FAINT: Colour = (138, 146, 158)
PAPER: Colour = (14, 17, 22)

PANEL = 460
"""Pixels of the longest side shown, of all panels of a case together; all have one scale."""
FINE = 2
"""Slices are drawn so many times larger and reduced, for smooth lines."""
SUBSTITUTES = str.maketrans({"×": "x", "≥": ">=", "≤": "<=", "→": "->", "−": "-"})
"""For signs that Pillow's own font lacks."""
MARGIN = 12
LINE = 26


@dataclass(frozen=True, slots=True, eq=False)
class CasePicture:
    """A picture of a case for a report.

    Attributes:
        caption: plain text below it.
        image: the picture.
    """

    caption: str
    image: Image.Image

    def without_title(self) -> Image.Image:
        """The picture of `draw_scored` below its title, which names the case."""
        return self.image.crop((0, MARGIN + LINE, self.image.width, self.image.height))


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """One slice, rows from top to bottom and columns from left to right, as it is shown."""

    name: str
    shown: npt.NDArray[np.uint8]
    """(rows, columns) grey, or (rows, columns, 3)."""
    truth: Voxels
    predicted: Voxels
    size: tuple[float, float]
    """Width and height in the unit of the grid."""


def draw_case(
    image: npt.NDArray[Any],
    truth: Voxels,
    predicted: Voxels,
    grid: Grid,
    window: tuple[float, float] | None = None,
    title: str = "",
) -> Image.Image:
    """Draw the axial slice with most of the truth, and the coronal slice with most of it.

    Where the truth is empty the prediction chooses the slices, and where both are, the middle of the image. A 2D
    image has one panel. The grid may be oblique: the nearest axes are shown.

    Args:
        image: (I, J, K), or (C, I, J, K), of which a picture's three are shown as colours and else the first.
        truth: (I, J, K) bool.
        predicted: (I, J, K) bool.
        grid: where all three lie.
        window: level and width in the units of the image, or None for its 0.5th to 99.5th percentile.
        title: a short text above the slices.

    Returns:
        An RGB picture, 956 pixels wide (484 for a 2D image).
    """
    axes = grid.nearest_axes()
    flips = tuple(slice(None, None, -1 if grid.affine[world, axis] < 0 else 1) for world, axis in enumerate(axes))
    components = [image] if image.ndim == 3 else list(image if grid.unit == "px" and len(image) == 3 else image[:1])
    turned = [np.transpose(array, axes)[flips] for array in (truth, predicted, *components)]
    spacing = [grid.spacing[axis] for axis in axes]
    low, high = find_window(np.stack(components), window)
    if len(components) > 1:
        low = 0.0  # or colours would change
    # Both views have the patient's right, the end of x, on the left, and the end of the other axis on top.
    facing = (slice(None),) * 2 if grid.unit == "px" else (slice(None, None, -1),) * 2
    slices = []
    for name, axis in (("axial", 2), ("coronal", 1))[: 1 if turned[0].shape[2] == 1 else 2]:
        place = _choose_slice(turned[0], turned[1], axis)
        true, guess, *raw = (np.take(array, place, axis=axis).T[facing] for array in turned)
        size = (true.shape[1] * spacing[0], true.shape[0] * spacing[3 - axis])
        where = f"{name}, slice {place + 1} of {turned[0].shape[axis]}"
        if grid.unit == "px":
            where = f"{true.shape[1]} × {true.shape[0]} pixels"
        scaled = (np.nan_to_num(np.stack(raw, axis=-1).astype(np.float32)) - low) / (high - low)
        shown = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
        slices.append(_Slice(where, shown if len(raw) == 3 else shown[..., 0], true > 0, guess > 0, size))
    return _compose(slices, grid.unit, title)


def draw_scored(
    volume: Volume,
    truth: Mask,
    mask: Mask,
    modality: str,
    caption: str,
    others: Mapping[str, npt.NDArray[Any]] | None = None,
) -> CasePicture:
    """Draw a case that was scored, a row for each channel; CT in the usual window for soft tissue.

    Args:
        volume: its first channel.
        truth: on the volume's grid.
        mask: what was predicted, on the same grid.
        modality: DICOM modality of the volume.
        caption: name of the case.
        others: further channels (I, J, K), on the same grid, by their names.
    """
    inside = part_objects(truth), part_objects(mask)
    window = SOFT_TISSUE if modality == "CT" else None
    rows = [draw_case(volume.voxels, *inside, truth.grid, window, caption)]
    rows += [
        draw_case(image, *inside, truth.grid, None, f"{caption}, {name}") for name, image in (others or {}).items()
    ]
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), PAPER)
    for number, row in enumerate(rows):
        sheet.paste(row, (0, sum(above.height for above in rows[:number])))
    return CasePicture(caption=caption, image=sheet)


def part_objects(mask: Mask) -> Voxels:
    """What is drawn of a mask, (I, J, K) bool: its foreground, without a line of pixels between objects that touch."""
    drawn = mask.is_labelled()
    if mask.kind == "classes":
        return drawn
    for axis, size in enumerate(drawn.shape):
        low, high = (np.take(mask.voxels, range(*ends), axis) for ends in ((0, size - 1), (1, size)))
        first = tuple(slice(0, -1) if n == axis else slice(None) for n in range(3))
        drawn[first] &= (high == 0) | (high == low)
    return drawn


def _choose_slice(truth: Voxels, predicted: Voxels, axis: int) -> int:
    others = tuple(n for n in range(3) if n != axis)
    for mask in (truth, predicted):
        profile = np.count_nonzero(mask, axis=others)
        if profile.any():
            return int(np.argmax(profile))
    return int(truth.shape[axis]) // 2


def _compose(slices: Sequence[_Slice], unit: str, title: str) -> Image.Image:
    scale = PANEL / max(side for part in slices for side in part.size)
    panels = [_draw_slice(part, scale) for part in slices]
    tall = max(panel.height for panel in panels)
    top = MARGIN + (LINE + 6 if title else 0)
    # Cells are equally wide whatever the panels are, so that the cases of a contact sheet line up.
    size = (len(panels) * (PANEL + MARGIN) + MARGIN, top + LINE + tall + LINE + MARGIN + 4)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        write_line(pen, (MARGIN, MARGIN), title, 20, INK, sheet.width - 2 * MARGIN)
    left = MARGIN
    for part, panel in zip(slices, panels, strict=True):
        write_line(pen, (left, top), part.name, 15, FAINT, PANEL)
        corner = (left + (PANEL - panel.width) // 2, top + LINE + (tall - panel.height) // 2)
        sheet.paste(panel, corner)
        if unit == "mm":
            mark_sides(pen, corner, panel.size)
        left += PANEL + MARGIN
    _draw_legend(pen, sheet.size, scale, unit)
    return sheet


def _draw_slice(part: _Slice, scale: float) -> Image.Image:
    """One slice at `scale` pixels a millimetre, with outlines."""
    width, height = (max(1, round(side * scale)) for side in part.size)
    # The truth is drawn broad and the prediction narrow over it, so that both show where they agree.
    outlines: list[Outline] = [(part.truth, TRUTH, 7), (part.predicted, PREDICTION, 4)]
    return draw_outlines(part.shown, outlines, (width, height))


def draw_outlines(shown: npt.NDArray[np.uint8], outlines: Sequence[Outline], size: tuple[int, int]) -> Image.Image:
    """Draw outlines of masks over a plane.

    Args:
        shown: (rows, columns) grey, or (rows, columns, 3).
        outlines: masks (rows, columns), each with its colour and its breadth, two to a pixel; later ones lie above.
        size: width and height of the picture, in pixels.
    """
    fine = (size[0] * FINE, size[1] * FINE)
    enlarged = Image.fromarray(np.ascontiguousarray(shown)).resize(fine, Image.Resampling.BICUBIC)
    picture = np.array(enlarged.convert("RGB"))
    for mask, colour, breadth in outlines:
        picture[_find_outline(mask, fine, breadth)] = colour
    return Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)


def _find_outline(mask: Voxels, size: tuple[int, int], breadth: int) -> Voxels:
    """Pixels of a picture of `size` (width, height) within half of `breadth` of the rim of a mask."""
    plane = Image.fromarray(np.ascontiguousarray(mask, dtype=np.float32))
    inside = np.asarray(plane.resize(size, Image.Resampling.BILINEAR)) >= 0.5
    grown, shrunk = inside, inside
    for step in range(breadth):
        if step % 2:
            shrunk = ~_grow(~shrunk)
        else:
            grown = _grow(grown)
    outline: Voxels = grown & ~shrunk
    return outline


def _grow(mask: Voxels) -> Voxels:
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def mark_sides(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], size: tuple[int, int], letters: tuple[str, str] = ("R", "L")
) -> None:
    """Mark the sides of the patient in the lower corners of a panel, with a letter on the left and on the right."""
    base = corner[1] + size[1] - 5
    font = ImageFont.load_default(size=15)
    for x, letter, anchor in ((corner[0] + 6, letters[0], "ls"), (corner[0] + size[0] - 6, letters[1], "rs")):
        pen.text((x, base), letter, fill=INK, font=font, anchor=anchor, stroke_width=2, stroke_fill=PAPER)


def _draw_legend(pen: ImageDraw.ImageDraw, size: tuple[int, int], scale: float, unit: str) -> None:
    """What the colours mean, and a bar of a round length."""
    middle = size[1] - MARGIN - LINE // 2 + 4
    font = ImageFont.load_default(size=15)
    left = float(MARGIN)
    for colour, breadth, text in ((TRUTH, 5, "truth"), (PREDICTION, 3, "prediction")):
        pen.line((left, middle, left + 26, middle), fill=colour, width=breadth)
        pen.text((left + 34, middle), text, fill=INK, font=font, anchor="lm")
        left += 34 + pen.textlength(text, font=font) + 22
    lengths = [length for length in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if length * scale <= PANEL / 4]
    if not lengths:
        return
    bar = lengths[-1] * scale
    text = f"{lengths[-1]} {unit}"
    right = size[0] - MARGIN
    pen.line((right - bar, middle, right, middle), fill=FAINT, width=3)
    if right - bar - 10 - pen.textlength(text, font=font) > left:
        pen.text((right - bar - 10, middle), text, fill=FAINT, font=font, anchor="rm")


def write_line(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, colour: Colour, width: int
) -> int:
    """Write one line, cut with an ellipsis where it is wider than `width`; returns how wide it became."""
    font = ImageFont.load_default(size=size)
    text = text.translate(SUBSTITUTES)
    if pen.textlength(text, font=font) > width:
        while text and pen.textlength(text + "…", font=font) > width:
            text = text[:-1]
        text += "…"
    pen.text(place, text, fill=colour, font=font)
    return int(pen.textlength(text, font=font))


def draw_overview(images: Sequence[Image.Image], title: str, columns: int = 2) -> Image.Image:
    """Lay pictures of cases out on one sheet.

    Args:
        images: pictures of any size; each is fitted into a cell of equal width.
        title: one line above them.
        columns: cells in a row.

    Returns:
        An RGB picture, 1600 pixels wide or less.
    """
    columns = max(1, min(columns, len(images)))
    gap = 2 * MARGIN
    wide = min(max((image.width for image in images), default=PANEL), (1600 - gap * (columns + 1)) // columns)
    cells = [image.convert("RGB").resize(_fit(image.size, wide), Image.Resampling.LANCZOS) for image in images]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) for row in rows]
    top = gap + 40
    sheet = Image.new("RGB", (gap + columns * (wide + gap), top + sum(heights) + gap * len(rows)), PAPER)
    write_line(ImageDraw.Draw(sheet), (gap + MARGIN, gap), title, 26, INK, sheet.width - 2 * gap)
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            sheet.paste(cell, (gap + column * (wide + gap), top))
        top += height + gap
    return sheet


def _fit(size: tuple[int, int], width: int) -> tuple[int, int]:
    return width, max(1, round(size[1] * width / size[0]))


def write_figure(picture: CasePicture) -> str:
    """HTML that holds a picture, with its caption."""
    stream = io.BytesIO()
    picture.image.save(stream, format="WEBP", quality=88)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    caption = escape(picture.caption)
    return (
        f'<figure><img src="data:image/webp;base64,{data}" alt="{caption}" loading="lazy" '
        f'width="{picture.image.width}" height="{picture.image.height}"><figcaption>{caption}</figcaption></figure>'
    )
