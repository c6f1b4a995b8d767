"""Paints the anatomy of a made-up abdomen and lower thorax.

Vocabulary: the *body* carries fractions (u, v) of its half width and half depth and millimetres w above the
diaphragm to positions in the frame of the canvas.
"""

from dataclasses import dataclass

import numpy as np

from medunet.testing.phantoms.canvas import Blob, Canvas, Tissue, Triple

INSIDE = (Tissue.CAVITY, Tissue.LUNG)
"""What organs are painted over."""
BODY = tuple(tissue for tissue in Tissue if tissue >= Tissue.FAT)
"""All but air and table."""

VESSELS: tuple[tuple[float, float, tuple[Triple, ...]], ...] = (
    (11.0, 185, ((0.09, 0.42, 330), (0.08, 0.40, 60), (0.03, 0.31, -70), (0.03, 0.30, -140))),
    (6.5, 180, ((0.03, 0.30, -138), (0.13, 0.27, -190), (0.32, 0.32, -330))),
    (6.5, 180, ((0.03, 0.30, -138), (-0.08, 0.27, -190), (-0.3, 0.32, -330))),
    (11.0, 155, ((-0.12, 0.05, 45), (-0.14, 0.24, -30), (-0.12, 0.28, -145))),
    (7.5, 150, ((-0.12, 0.28, -143), (-0.2, 0.36, -200), (-0.34, 0.36, -330))),
    (7.5, 150, ((-0.12, 0.28, -143), (0.1, 0.36, -190), (0.36, 0.36, -330))),
    (4.5, 190, ((0.03, 0.28, -52), (0.10, 0.05, -48), (0.35, 0.20, -42), (0.54, 0.30, -45))),
    (4.5, 185, ((0.03, 0.27, -72), (0.03, -0.05, -95), (-0.02, -0.14, -150), (-0.14, -0.16, -230))),
    (6.0, 170, ((-0.02, 0.02, -78), (-0.02, -0.08, -110), (-0.06, -0.18, -160), (-0.02, -0.22, -240))),
    (7.0, 175, ((0.00, 0.03, -80), (-0.14, 0.00, -62), (-0.30, -0.06, -50), (-0.48, -0.08, -42))),
    (5.0, 175, ((-0.20, -0.03, -57), (-0.10, -0.25, -45), (-0.16, -0.45, -40))),
    (4.5, 160, ((-0.12, 0.10, -4), (-0.32, 0.05, -14), (-0.55, 0.08, -36))),
    (4.5, 160, ((-0.12, 0.10, -4), (-0.25, -0.15, -16), (-0.34, -0.36, -38))),
    (4.5, 160, ((-0.12, 0.10, -4), (-0.08, -0.15, -16), (0.02, -0.38, -34))),
    (4.0, 175, ((0.03, 0.30, -92), (0.18, 0.33, -98), (0.36, 0.38, -104))),
    (4.0, 175, ((0.03, 0.30, -92), (-0.16, 0.34, -100), (-0.36, 0.38, -108))),
    (3.5, 180, ((-0.02, -0.14, -150), (0.14, -0.2, -165), (0.3, -0.12, -215))),
    (3.5, 180, ((0.00, -0.10, -135), (0.2, -0.24, -140), (0.42, -0.1, -180))),
    (3.5, 180, ((-0.02, -0.16, -160), (-0.2, -0.24, -175), (-0.4, -0.1, -220))),
)
"""Radius in mm, Hounsfield units, and control points (u, v, w) of vessels full of contrast."""

COLON: tuple[tuple[Triple, ...], ...] = (
    ((-0.58, 0.08, -125), (-0.60, 0.06, -200), (-0.56, 0.12, -290)),
    ((-0.56, -0.1, -118), (-0.25, -0.50, -140), (0.20, -0.52, -132), (0.55, -0.15, -85)),
    ((0.60, 0.10, -90), (0.63, 0.12, -180), (0.58, 0.16, -290)),
)
"""Control points of ascending, transverse and descending colon."""


@dataclass(frozen=True, slots=True)
class Body:
    """Outline of a patient, and where organs lie in it.

    Attributes:
        half_width: mm along x, from the middle to a side.
        half_depth: mm along y, from the middle to the front or back.
        centre_y: y of the body's middle, mm from the centre of the volume.
        dome: z of the diaphragm, mm from the centre of the volume.
        stretch: factor on mm along z, so that short volumes show all organs.
    """

    half_width: float
    half_depth: float
    centre_y: float
    dome: float
    stretch: float

    @classmethod
    def draw(cls, canvas: Canvas) -> "Body":
        """Draw, from the canvas's generator, a body that its field of view holds."""
        width, depth, height = np.array(canvas.hu.shape) * canvas.spacing
        rng = canvas.rng
        half_width = min(rng.uniform(148, 178), 0.46 * width)
        half_depth = min(half_width * rng.uniform(0.66, 0.76), 0.43 * depth)
        dome = 0.12 * height + rng.uniform(-8, 8)
        return cls(half_width, half_depth, -0.035 * depth, dome, float(np.clip(height / 220, 0.2, 1.2)))

    def place(self, u: float, v: float, w: float) -> Triple:
        """Position x, y, z, in mm from the centre of the volume.

        Args:
            u: fraction of the half width, positive to the patient's left.
            v: fraction of the half depth, positive to the back.
            w: mm above the diaphragm, before the body's stretch.
        """
        return self.half_width * u, self.centre_y + self.half_depth * v, self.dome + self.stretch * w

    def scale(self, x: float, y: float, z: float) -> Triple:
        """Radii in mm along x, y, z in this body, of those in a body of 165 × 115 mm half axes and stretch 1."""
        return x * self.half_width / 165, y * self.half_depth / 115, z * self.stretch


def paint_anatomy(canvas: Canvas) -> None:
    """Draw a body from the canvas's generator and paint it from outside to inside, bones last."""
    body = Body.draw(canvas)
    _paint_body(canvas, body)
    _paint_thorax(canvas, body)
    _paint_organs(canvas, body)
    _paint_bowel(canvas, body)
    _paint_vessels(canvas, body)
    _paint_bones(canvas, body)


def _paint_body(canvas: Canvas, body: Body) -> None:
    """Table, skin, fat, muscle wall and the fat of the cavity, in slabs along I to save memory."""
    rng = canvas.rng
    power = np.float32(2.3)
    fat, wall = rng.uniform(0.87, 0.93), rng.uniform(0.095, 0.12)
    shells = ((1, Tissue.FAT, 30), (0.985, Tissue.FAT, -105), (fat, Tissue.WALL, 55), (fat - wall, Tissue.CAVITY, -95))
    x, y, z = (axis.reshape([-1 if n == m else 1 for m in range(3)]) for n, axis in enumerate(canvas.axes))
    waist = 1 - np.float32(rng.uniform(0.02, 0.05)) * np.cos((z - body.dome) / np.float32(rng.uniform(55, 80)))
    back = body.centre_y + 1.07 * body.half_depth + 3
    down = np.abs((y - body.centre_y) / (body.half_depth * waist)) ** power
    for start in range(0, len(canvas.axes[0]), 32):
        slab = np.s_[start : start + 32, :, :]
        bend = y - back + 18 * (x[slab] / (0.75 * body.half_width)) ** 2
        table = (np.abs(bend - 4) < 4) & (np.abs(x[slab]) < 1.1 * body.half_width) & (z < np.inf)
        canvas.fill(slab, table, Tissue.TABLE, -250)
        level = np.abs(x[slab] / (body.half_width * waist)) ** power + down
        for limit, tissue, hu in shells:
            canvas.fill(slab, level < np.float32(limit) ** power, tissue, hu)


def _paint_thorax(canvas: Canvas, body: Body) -> None:
    rng = canvas.rng
    for side in (-1, 1):
        centre = body.place(0.46 * side, 0.06, rng.uniform(105, 118))
        lung = Blob.draw(rng, centre, body.scale(62, 84, 135), 0.03)
        canvas.paint(lung, Tissue.LUNG, ((1, -850),), (Tissue.CAVITY,), 15)
        for _ in range(26):
            end = body.place(side * rng.uniform(0.2, 0.75), rng.uniform(-0.6, 0.65), rng.uniform(-10, 240))
            middle = body.place(side * rng.uniform(0.25, 0.5), rng.uniform(-0.3, 0.4), rng.uniform(40, 120))
            curve = canvas.trace([body.place(0.16 * side, 0.12, 85), middle, end], 2.5)
            canvas.paint_tube(curve, rng.uniform(1.3, 3), Tissue.LUNG, rng.uniform(-60, 120), (Tissue.LUNG,))
    heart = Blob.draw(rng, body.place(0.14, -0.24, 52), body.scale(56, 44, 42), 0.04)
    canvas.paint(heart, Tissue.ORGAN, ((1, 110), (0.78, rng.uniform(150, 175))), INSIDE)


def _paint_organs(canvas: Canvas, body: Body) -> None:
    rng = canvas.rng

    def draw(u: float, v: float, w: float, radii: Triple, lobes: float = 0.05) -> Blob:
        x, y, z = body.place(u, v, w)
        shift, factor = rng.normal(0, 4, 3), rng.uniform(0.9, 1.1, 3)
        return Blob.draw(rng, (x + shift[0], y + shift[1], z + shift[2]), body.scale(*(factor * radii).tolist()), lobes)

    liver = ((1.0, rng.uniform(56, 66)),)
    canvas.paint(draw(-0.40, -0.05, -48, (84, 84, 74)), Tissue.LIVER, liver, INSIDE)
    canvas.paint(draw(0.02, -0.36, -36, (62, 38, 38)), Tissue.LIVER, liver, INSIDE)
    canvas.paint(draw(0.58, 0.28, -38, (30, 44, 46)), Tissue.ORGAN, ((1, rng.uniform(98, 115)),), INSIDE)
    stomach = draw(0.34, -0.22, -38, (36, 32, 42))
    canvas.paint(stomach, Tissue.BOWEL, ((1, 60), (0.86, rng.uniform(5, 35))), INSIDE)
    x, y, z = stomach.centre
    wide, deep, high = stomach.radii
    bubble = Blob.draw(rng, (x, y - 0.55 * deep, z), (0.6 * wide, 0.32 * deep, 0.6 * high), 0.02)
    canvas.paint(bubble, Tissue.BOWEL, ((1, -900),), (Tissue.BOWEL,))
    for side in (-1, 1):
        for u, v, radii in ((0.17, 0.66, (23, 18, np.inf)), (0.21, 0.42, (17, 17, 90))):
            muscle = draw(side * u, v, -170, radii, 0.03)
            canvas.paint(muscle, Tissue.MUSCLE, ((1, rng.uniform(52, 60)),), (Tissue.CAVITY, Tissue.WALL))
        kidney = draw(side * 0.40, 0.40, -104 - 4 * side, (26, 24, 50), 0.04)
        layers = ((1, rng.uniform(130, 165)), (0.52, 100))
        canvas.paint(kidney, Tissue.KIDNEY, layers, (*INSIDE, Tissue.LIVER, Tissue.MUSCLE))


def _paint_bowel(canvas: Canvas, body: Body) -> None:
    """Colon with stool and gas, and loops of small bowel that hold fluid, food, gas or contrast."""
    rng = canvas.rng
    only = (Tissue.CAVITY, Tissue.BOWEL)
    tubes = [([body.place(*point) for point in controls], rng.uniform(15, 20)) for controls in COLON]
    for _ in range(14):
        points = np.cumsum(
            [
                [rng.uniform(-0.4, 0.4), rng.uniform(-0.45, -0.05), rng.uniform(-260, -105)],
                *rng.normal(0, (0.2, 0.16, 24), (4, 3)),
            ],
            axis=0,
        ).clip((-0.6, -0.6, -300), (0.6, 0.1, -90))
        tubes.append(([body.place(*point) for point in points.tolist()], rng.uniform(9, 13)))
    for controls, radius in tubes:
        curve = canvas.trace(controls, radius)
        canvas.paint_tube(curve, radius, Tissue.BOWEL, 55, only)
        content = float(rng.choice([15, 35, -60, 300], p=[0.4, 0.25, 0.2, 0.15]))
        canvas.paint_tube(curve, 0.75 * radius, Tissue.BOWEL, content, only)
        for start in rng.uniform(0, 0.8, 2):
            # Gas rises to the front of a patient who lies on the back.
            part = curve[int(start * len(curve)) : int((start + 0.18) * len(curve))] - (0, 0.3 * radius, 0)
            if len(part):
                canvas.paint_tube(part, 0.45 * radius, Tissue.BOWEL, -850, (Tissue.BOWEL,))


def _paint_vessels(canvas: Canvas, body: Body) -> None:
    rng = canvas.rng
    phase = rng.uniform(0.85, 1.08)
    for radius, hu, controls in VESSELS:
        sway = rng.normal(0, (0.025, 0.025, 5), (len(controls), 3))
        # The ends stay, so that branches leave from their trunk.
        sway[0] = 0
        curve = canvas.trace([body.place(*point) for point in (np.array(controls) + sway).tolist()], radius)
        canvas.paint_tube(curve, radius * rng.uniform(0.85, 1.15), Tissue.VESSEL, hu * phase, BODY)


def _paint_bones(canvas: Canvas, body: Body) -> None:
    """Ribs down to the kidneys, and a spine with discs, canal and processes."""
    rng = canvas.rng
    angles = np.radians(np.linspace(14, 150, 12))
    phase, density = rng.uniform(0, 1), rng.uniform(0.85, 1.15)
    for number in range(-3, 12):
        reach = 7 if number < -1 else 12
        for side in (-1, 1):
            controls = [
                body.place(
                    side * 0.82 * float(np.sin(angle)) ** 0.87,
                    0.82 * float(np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.87),
                    26 * (number + phase) - 22 * float(angle),
                )
                for angle in angles[:reach]
            ]
            only = BODY
            canvas.paint_tube(canvas.trace(controls, 5), 5.2, Tissue.BONE, 480 * density, only)
    x, y, _ = body.place(0, 0.60, 0)
    column = Blob.draw(rng, (x, y, 0), (*body.scale(22, 18, 1)[:2], np.inf), 0.03)
    canvas.paint(column, Tissue.BONE, ((1, 560 * density), (0.84, 240 * density)), texture=30)
    depth = column.radii[1]
    for z in np.arange(canvas.axes[2][0] - 34, canvas.axes[2][-1] + 34, 34 * body.stretch) + 34 * phase:
        disc = Blob.draw(rng, (x, y, float(z)), (0.95 * column.radii[0], 0.95 * depth, 4.5), 0.02)
        canvas.paint(disc, Tissue.BONE, ((1, 85),), (Tissue.BONE,))
        arch = Blob.draw(rng, (x, y + 1.5 * depth, float(z) + 15), (1.9 * column.radii[0], 0.4 * depth, 9), 0.05)
        canvas.paint(arch, Tissue.BONE, ((1, 450 * density),))
        spine = Blob.draw(rng, (x, y + 2.1 * depth, float(z) + 10), (4, 0.8 * depth, 12), 0.05)
        canvas.paint(spine, Tissue.BONE, ((1, 450 * density),), BODY)
    canal = Blob.draw(rng, (x, y + 1.45 * depth, 0), (9, 8, np.inf), 0.02)
    canvas.paint(canal, Tissue.BONE, ((1, 30),))
