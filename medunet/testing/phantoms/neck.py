"""Paints the body of a made-up patient from head to shoulders, and the neck in it.

Outlines and places are those of `head`: means of 118 head and neck CTs.
"""

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

from medunet.testing.phantoms.canvas import Floats, Tissue
from medunet.testing.phantoms.head import AIR_HU, SOFT
from medunet.testing.phantoms.sketch import Sketch

FAT_HU, MUSCLE_HU, CORD_HU = -108.0, 20.0, 14.0
PACKED = (Tissue.FAT, Tissue.MUSCLE)
BODY = (
    (60, -152, 50, 55, 68, 74, 75, 66, 50, 36),
    (45, -154, 49, 56, 68, 75, 77, 68, 62, 48),
    (30, -152, 49, 58, 68, 76, 78, 69, 62, 44),
    (15, -143, 50, 58, 68, 74, 75, 69, 61, 42),
    (0, -134, 50, 60, 66, 72, 71, 66, 57, 38),
    (-15, -131, 50, 60, 66, 69, 65, 58, 49, 34),
    (-30, -129, 41, 60, 66, 67, 63, 53, 43, 31),
    (-45, -135, 17, 59, 67, 68, 65, 55, 43, 30),
    (-60, -139, -1, 66, 76, 75, 70, 62, 48, 34),
    (-75, -152, -8, 98, 128, 135, 114, 76, 59, 38),
    (-90, -165, -14, 125, 165, 188, 189, 164, 88, 45),
    (-105, -177, -15, 138, 182, 205, 207, 198, 173, 89),
    (-120, -185, -11, 152, 199, 213, 215, 208, 189, 121),
    (-135, -188, -4, 185, 210, 220, 221, 213, 187, 133),
    (-180, -192, 10, 210, 224, 230, 231, 223, 192, 140),
)
"""Height z, y of back and front, and half widths at eighths of the way between these, mm."""
FAT_MM = ((-150, 14), (-100, 10), (-60, 6), (-10, 7), (30, 6), (60, 4))
"""Height z and thickness of the fat below the skin."""
CORD = ((-180, -133), (-150, -121), (-120, -105), (-90, -90), (-60, -80), (-30, -75), (0, -74), (22, -76))
"""Height z and y of the middle of the spinal cord."""
AIRWAY = (
    (-200, 0, -84, 9, 8),
    (-150, 0, -68, 9, 8),
    (-120, 0, -52, 9, 8),
    (-95, 0, -42, 9, 8.5),
    (-82, 0, -37, 8, 9),
    (-72, 0, -34, 4.5, 10),
    (-62, 0, -32, 6, 11),
    (-52, 0, -32, 11, 9),
    (-30, 0, -36, 14, 8),
    (-10, 0, -34, 13, 8),
    (10, 0, -35, 10, 8),
    (28, 0, -33, 10, 10),
    (42, 0, -24, 13, 14),
)
"""Height z, middle x and y, and radii along x and y, from the windpipe up to the nose."""


def paint_body(sketch: Sketch) -> None:
    """Paint skin, fat and muscles into an empty sketch."""
    canvas, whole = sketch.canvas, (slice(None), slice(None), slice(None))
    depth = _measure_body(sketch)
    fat = np.interp(sketch.z.ravel(), *np.transpose(FAT_MM)).astype(np.float32).reshape(1, 1, -1)
    fat = fat * np.float32(canvas.rng.uniform(0.8, 1.3))
    waves = gaussian_filter(canvas.rng.standard_normal(canvas.hu.shape, np.float32), 7 / canvas.spacing)
    waves /= waves.std()
    canvas.fill(whole, depth > 0, Tissue.FAT, 0)
    canvas.fill(whole, depth > 1.5, Tissue.FAT, FAT_HU + 6 * waves)
    canvas.fill(whole, depth > fat, Tissue.MUSCLE, MUSCLE_HU + 4 * waves)
    streaks = (np.abs(waves) < 0.2) & (depth > fat) & (sketch.z < 12)
    canvas.fill(whole, streaks, Tissue.FAT, -80)


def _measure_body(sketch: Sketch) -> Floats:
    """How far voxels lie below the skin, (I, J, K) mm; negative outside."""
    y, heights = sketch.y.ravel(), sketch.z.ravel()
    rows = np.array(BODY, dtype=np.float64)[::-1]
    rows = np.stack([np.interp(heights, rows[:, 0], column) for column in rows.T[1:]], axis=1)
    squared = np.stack([_square_widths(row, y) for row in rows], axis=1)
    head = 1 - ((y[:, None] + 58) / 97) ** 2 - ((heights[None] - 60) / 98) ** 2
    squared = np.where(heights[None] > 60, -1, squared)
    squared = np.maximum(squared, np.where(heights[None] > 10, head.clip(-1) * 77**2, -1))
    width = np.sign(squared) * np.sqrt(np.abs(squared))
    width = gaussian_filter(width, (3 / sketch.canvas.spacing[1], 5 / sketch.canvas.spacing[2]))
    slopes = np.gradient(width, *(float(step) for step in sketch.canvas.spacing[1:]))
    steep = np.sqrt(1 + slopes[0] ** 2 + slopes[1] ** 2)
    depth: Floats = ((width - np.abs(sketch.x)) / steep).astype(np.float32)
    return depth


def _square_widths(row: npt.NDArray[np.float64], y: Floats) -> npt.NDArray[np.float64]:
    """Squares of half widths at places y of one height, which run smoothly to round ends; negative outside."""
    back, front, widths = row[0], row[1], np.concatenate([[0], row[2:], [0]])
    curve = PchipInterpolator(np.linspace(back, front, len(widths)), widths**2)
    squared = np.asarray(curve(y.clip(back, front)))
    outside = np.maximum(back - y, y - front)
    return np.where(outside > 0, -(outside**2), squared)


def paint_neck(sketch: Sketch) -> None:
    """Paint what lies in neck and shoulders, bones last."""
    _paint_chest(sketch)
    _paint_glands(sketch)
    _paint_throat(sketch)
    _paint_spine(sketch)


def _paint_chest(sketch: Sketch) -> None:
    """Lungs, vessels, and the bones of shoulders and ribs."""
    rng = sketch.canvas.rng
    sketch.blob((0, -66, -190), (38, 48, 62), Tissue.FAT, FAT_HU, PACKED)
    sketch.pair((62, -92, -174), (50, 58, 78), Tissue.LUNG, -850, PACKED, 0.02)
    contrast = rng.uniform(40, 160)
    sketch.tube(
        ((12, -48, -200), (20, -46, -130), (28, -48, -80), (30, -50, -20), (30, -52, 20)), 6, *_vessel(contrast)
    )
    sketch.tube(((22, -44, -130), (20, -44, -90), (22, -46, -40), (24, -48, 20)), 3.8, *_vessel(contrast))
    for height in range(-200, -100, 22):
        rib = [(20, -136, height + 6), (58, -142, height), (104, -112, height - 12), (96, -62, height - 24)]
        sketch.tube(rib, 4.5, Tissue.BONE, 520, both=True)
    sketch.tube(((8, -26, -132), (42, -32, -114), (96, -68, -98), (148, -92, -92)), 6.5, *_bone(800))
    sketch.pair((172, -96, -116), (24, 24, 25), Tissue.BONE, 800, PACKED)
    sketch.pair((172, -96, -116), (21, 21, 22), Tissue.BONE, 160, (Tissue.BONE,))
    sketch.tube(((174, -96, -122), (184, -98, -250)), 12, *_bone(900))
    sketch.tube(((148, -108, -112), (120, -142, -130), (92, -160, -160), (84, -166, -230)), 5, *_bone(650))
    sketch.tube(((150, -112, -96), (124, -144, -94), (88, -158, -116)), 5, *_bone(650))
    sketch.blob((0, -24, -190), (18, 7, 46), Tissue.BONE, 380, PACKED)


def _vessel(hu: float) -> tuple[Tissue, float, tuple[Tissue, ...], bool]:
    return Tissue.VESSEL, hu, PACKED, True


def _bone(hu: float) -> tuple[Tissue, float, tuple[Tissue, ...], bool]:
    return Tissue.BONE, hu, (*PACKED, Tissue.VESSEL), True


def _paint_glands(sketch: Sketch) -> None:
    """Parotids behind the mandible, the other glands, and the fat and muscles beside them."""
    rng = sketch.canvas.rng
    sketch.pair((30, -34, 14), (10, 13, 26), Tissue.FAT, -90, PACKED)
    sketch.pair((66, -76, -74), (17, 18, 30), Tissue.FAT, -100, PACKED, 0.1)
    controls = ((58, -72, 18), (54, -56, -30), (38, -38, -80), (16, -28, -128))
    sketch.tube(controls, 9.5, Tissue.MUSCLE, 32, PACKED, True)
    hu = rng.uniform(-50, 0)
    for side, label in ((-1, "RightParotid"), (1, "LeftParotid")):
        sketch.organ(label, (side * 58, -49, 14), (12.5, 17, 25), ((1, hu),), PACKED)
    sketch.pair((27, -8, -34), (10, 14, 12), Tissue.ORGAN, 18, PACKED)
    sketch.pair((17, -40, -94), (9, 11, 22), Tissue.ORGAN, 95, PACKED)
    sketch.blob((0, 6, -18), (18, 26, 8), Tissue.FAT, -60, (Tissue.MUSCLE,))


def _paint_throat(sketch: Sketch) -> None:
    """Larynx, gullet and airway, with hyoid bone, cartilages and the ring of the windpipe."""
    canvas = sketch.canvas
    box = sketch.cut((-40, -140, -400), (40, 20, 60))
    x, y, z = sketch.get_axes(box)
    air = sketch.column(AIRWAY, box)
    canvas.fill(box, (air < 1.5) & canvas.find(box, SOFT), Tissue.MUSCLE, 28)
    low, high = -80.0, -46.0
    larynx = np.sqrt((x / 16.5) ** 2 + ((y + 33) / 15) ** 2)
    within = (z > low) & (z < high)
    plate = (np.abs(larynx - 0.93) < 0.09) & (y > -36) & within & (z < -52)
    canvas.fill(box, (larynx < 1) & within, Tissue.ORGAN, 25)
    canvas.fill(box, plate, Tissue.BONE, 190)
    canvas.fill(box, (np.abs(larynx - 0.8) < 0.1) & (z > low - 4) & (z < low + 8), Tissue.BONE, 230)
    sketch.mark("Larynx", box, (larynx < 1) & within)
    hyoid = ((24, -30, -36), (20, -16, -40), (0, -6, -43), (-20, -16, -40), (-24, -30, -36))
    sketch.tube(hyoid, 3.2, Tissue.BONE, 520)
    gullet = [(height, -4, middle - 15, 8, 6.2) for height, _, middle, _, _ in AIRWAY if height <= -82]
    level = sketch.column(gullet, box)
    canvas.fill(box, level < 1, Tissue.ORGAN, 16)
    canvas.fill(box, level < 0.25, Tissue.ORGAN, -180)
    sketch.mark("Esophagus", box, level < 1)
    canvas.fill(box, (air < 1) & (canvas.tissue[box] != Tissue.AIR), Tissue.AIR, AIR_HU)


def _paint_spine(sketch: Sketch) -> None:
    """Vertebrae with discs, arches and processes, the canal, and the cord in it."""
    canvas = sketch.canvas
    box = sketch.cut((-60, -240, -400), (60, 0, 24))
    x, y, z = sketch.get_axes(box)
    heights, middles = np.transpose(CORD)
    cord = np.interp(z.ravel(), heights, middles).astype(np.float32).reshape(z.shape)
    chest = np.clip((-70 - z) / 60, 0, 1)  # from 0 in the neck to 1 in the chest
    behind = y - cord
    period = 17 + 3 * chest
    phase = np.mod(z + 4, period)
    bone = canvas.find(box, (*SOFT, Tissue.LUNG))
    wide, deep, lead = 12 + 3 * chest, 8.5 + 3 * chest, 16.5 + 3 * chest
    body = np.sqrt((x / wide) ** 2 + ((behind - lead) / deep) ** 2)
    disc = phase < 4.5
    canvas.fill(box, (body < 1) & bone, Tissue.BONE, 420)
    canvas.fill(box, (body < 0.78) & bone, Tissue.BONE, 260)
    canvas.fill(box, (body < 0.97) & disc, Tissue.BONE, 80)
    canal = np.sqrt((x / 10.5) ** 2 + (behind / 8.2) ** 2)
    arch = (canal < 1.65) & (phase > 2)
    joints = ((np.abs(x) - 18) / 7) ** 2 + ((behind - 2) / 7) ** 2 < 1
    sides = ((np.abs(x) - 19 - 8 * chest) / (8 + 7 * chest)) ** 2 + ((behind - 7 + 9 * chest) / 4.5) ** 2 < 1
    spine = (np.abs(x) < 3.5) & (behind < -8) & (behind > -30 - 6 * chest) & (np.abs(phase - 9) < 5)
    canvas.fill(box, (arch | joints | (sides & (np.abs(phase - 10) < 4))) & bone, Tissue.BONE, 560)
    canvas.fill(box, spine & bone, Tissue.BONE, 480)
    canvas.fill(box, canal < 1, Tissue.ORGAN, -25)
    canvas.fill(box, canal < 0.9, Tissue.ORGAN, 6)
    level = np.sqrt((x / 7.4) ** 2 + (behind / 6) ** 2)
    canvas.fill(box, level < 1, Tissue.ORGAN, CORD_HU)
    sketch.mark("SpinalCord", box, (level < 1) & (z < 19) & (z > -170))
