"""The picture of a run: loss and Dice over its steps."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

Points = Sequence[tuple[float, float]]
Colour = tuple[int, int, int]
PAPER, INK, FAINT = (255, 255, 255), (27, 32, 39), (203, 208, 213)
LOSS, DICE = (180, 80, 10), (0, 121, 107)
SIZE = (960, 420)
LEFT, RIGHT, TOP, BOTTOM = 70, 890, 50, 370
FINE = 2
"""Drawn so many times larger and reduced, for smooth lines."""


def draw_curves(loss: Points, dice: Points, steps: int, title: str) -> Image.Image:
    """Draw the loss (axis on the left) and the mean Dice of held-out cases (axis on the right, 0 to 1).

    Args:
        loss: (steps so far, mean loss).
        dice: (steps so far, mean Dice).
        steps: of the whole run; what is still to come stays white.
        title: a line above.
    """
    image = Image.new("RGB", (SIZE[0] * FINE, SIZE[1] * FINE), PAPER)
    pen = ImageDraw.Draw(image)
    values = [value for _, value in loss]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    high = high if high > low else low + 1
    for number in range(6):
        share = number / 5
        y = BOTTOM + share * (TOP - BOTTOM)
        _line(pen, [(LEFT, y), (RIGHT, y)], FAINT, 1)
        _text(pen, (LEFT - 8, y), f"{low + share * (high - low):.2f}", LOSS, "rm")
        _text(pen, (RIGHT + 8, y), f"{share:.1f}", DICE, "lm")
        _text(pen, (LEFT + share * (RIGHT - LEFT), BOTTOM + 10), f"{share * steps:.0f}", INK, "mt")
    places = {
        LOSS: [(step, (value - low) / (high - low)) for step, value in loss],
        DICE: list(dice),
    }
    for colour, points in places.items():
        drawn = [(LEFT + step / steps * (RIGHT - LEFT), BOTTOM + share * (TOP - BOTTOM)) for step, share in points]
        if len(drawn) > 1:
            _line(pen, drawn, colour, 3)
        for x, y in drawn if colour == DICE else []:
            pen.ellipse([(x - 5) * FINE, (y - 5) * FINE, (x + 5) * FINE, (y + 5) * FINE], fill=colour)
    _text(pen, (LEFT, 16), "loss", LOSS, "lt")
    _text(pen, (RIGHT, 16), "mean Dice of held-out cases", DICE, "rt")
    _text(pen, ((LEFT + RIGHT) / 2, 16), title, INK, "mt")
    _text(pen, ((LEFT + RIGHT) / 2, SIZE[1] - 10), "steps", INK, "mb")
    return image.resize(SIZE, Image.Resampling.LANCZOS)


def _line(pen: ImageDraw.ImageDraw, points: Points, colour: Colour, width: int) -> None:
    pen.line([(x * FINE, y * FINE) for x, y in points], fill=colour, width=width * FINE, joint="curve")


def _text(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, colour: Colour, anchor: str) -> None:
    font = ImageFont.load_default(size=14 * FINE)
    pen.text((place[0] * FINE, place[1] * FINE), text, fill=colour, font=font, anchor=anchor)
