"""Paints the head of a made-up patient: skull, brain, face, teeth and mandible.

Lengths and places are of the middle of 118 head and neck CTs (Babier et al., Medical Physics 2021, OpenKBP), to whose
mandibles they were shifted; the frame is that of `sketch`.
"""

import numpy as np

from medunet.testing.phantoms.canvas import Box, Floats, Tissue
from medunet.testing.phantoms.sketch import Sketch

SOFT = (Tissue.FAT, Tissue.WALL, Tissue.CAVITY, Tissue.MUSCLE, Tissue.ORGAN, Tissue.VESSEL)
"""What bones and air of the head are painted over."""
SKIN = (*SOFT, Tissue.BONE)
BRAIN_HU, CSF_HU, AIR_HU = 8.0, -6.0, -990.0
CORTEX_HU, MARROW_HU, TOOTH_HU = 1250.0, 350.0, 1900.0
VAULT = ((0.0, -60.0, 62.0), (67.0, 87.0, 90.0))
"""Middle and radii of the inside of the skull, mm."""
BASE = ((-150, 58), (-125, 34), (-105, 22), (-85, 16), (-66, 18), (-54, 40), (-40, 58), (-25, 70), (0, 76), (30, 82))
"""Height z of the skull base at places y in the middle, mm."""
JAW = ((0, 36), (8, 35), (15, 30.5), (21, 24), (27, 15), (33, 4), (39, -8), (44, -18), (48, -28), (50, -35))
"""Places x, y of the middle of the mandible from the chin to the edge behind its ramus, mm."""
JAW_HEIGHTS = ((0, -26, 5), (25, -25, 6), (45, -20, 8), (56, -14, 12), (64, -10, 36), (72, -6, 30), (84, -2, 43))
"""Length along `JAW`, and z of the lower and upper edge of the mandible there, mm."""
BRAINSTEM = ((19, 0, -77, 7, 7), (32, 0, -76, 9, 8.5), (44, 0, -73, 14, 12), (58, 0, -71, 15, 13), (74, 0, -66, 14, 10))
"""Height z, middle x and y, and radii along x and y, mm."""


def paint_head(sketch: Sketch) -> None:
    """Paint all that lies above the neck into a body that is there."""
    _paint_cranium(sketch)
    _paint_face(sketch)
    _paint_jaws(sketch)


def _paint_cranium(sketch: Sketch) -> None:
    """Brain, brainstem, skull and the air cells of its mastoids."""
    box = sketch.cut((-90, -170, 0), (90, 60, 1000))
    depth = _measure_skull(sketch, box)
    canvas = sketch.canvas
    body = canvas.find(box, SOFT)
    x, y, z = sketch.get_axes(box)
    canvas.fill(box, (depth > -6.5) & (depth <= 0) & body, Tissue.BONE, 1050)
    canvas.fill(box, (depth > -4.4) & (depth <= -2.2) & body, Tissue.BONE, 620)
    opening = (x / 15) ** 2 + ((y + 77) / 16) ** 2 < 1
    canvas.fill(box, opening & (z < 24) & (depth > -14) & (depth <= 0) & body, Tissue.ORGAN, CSF_HU)
    canvas.fill(box, (depth > 0) & body, Tissue.ORGAN, CSF_HU)
    canvas.fill(box, (depth > 2.5) & body, Tissue.ORGAN, BRAIN_HU)
    inside = (Tissue.ORGAN,)
    sketch.pair((9, -55, 92), (5, 24, 9), Tissue.ORGAN, CSF_HU, inside)
    sketch.blob((0, -92, 45), (7, 5, 8), Tissue.ORGAN, CSF_HU, inside)
    level = sketch.column(BRAINSTEM, box)
    canvas.fill(box, (level < 1.3) & (depth > 0), Tissue.ORGAN, CSF_HU)
    canvas.fill(box, (level < 1) & canvas.find(box, inside), Tissue.ORGAN, BRAIN_HU + 2)
    sketch.mark("Brainstem", box, (level < 1) & canvas.find(box, inside))
    sketch.pair((36, -52, 46), (26, 11, 13), Tissue.BONE, 1150, SKIN, 0.1)
    sketch.pair((58, -72, 26), (10, 13, 20), Tissue.BONE, 650, SKIN, 0.1)
    for centre in ((56, -70, 34), (60, -78, 26), (55, -66, 24), (50, -60, 40)):
        sketch.pair((centre[0], centre[1], centre[2]), (4.5, 5.5, 6), Tissue.LUNG, -650, (Tissue.BONE,), 0.15)
    sketch.pair((62, -55, 36), (13, 3.5, 3.5), Tissue.AIR, AIR_HU, SKIN, 0.05)


def _measure_skull(sketch: Sketch, box: Box) -> Floats:
    """How far voxels lie within the cavity of the skull, about mm; negative outside."""
    x, y, z = sketch.get_axes(box)
    centre, radii = VAULT
    level = sum(((axis - middle) / radius) ** 2 for axis, middle, radius in zip((x, y, z), centre, radii, strict=True))
    vault = (1 - np.sqrt(np.asarray(level, np.float32))) * np.float32(78)
    base = np.interp(y.ravel(), *np.transpose(BASE)).astype(np.float32).reshape(y.shape)
    fossa = 22 * np.exp(-(((np.abs(x) - 38) / 17) ** 2) - ((y + 20) / 18) ** 2)
    petrous = 16 * np.exp(-(((np.abs(x) - 36) / 22) ** 2) - ((y + 52) / 9) ** 2) + x**2 / 110
    # Slopes of the base make its distance shorter than its height.
    found: Floats = np.minimum(vault, (z - base + fossa - petrous) * np.float32(0.8)).astype(np.float32)
    return found


def _paint_face(sketch: Sketch) -> None:
    """Ears, orbits, nose, sinuses and cheek bones."""
    sketch.pair((76, -66, 34), (6, 14, 27), Tissue.ORGAN, -10, (Tissue.AIR, *SOFT), 0.08)
    sketch.blob((0, 46, 40), (15, 20, 15), Tissue.ORGAN, 0, (Tissue.AIR,))
    sketch.blob((0, 42, 54), (9, 14, 18), Tissue.ORGAN, 0, (Tissue.AIR,))
    sketch.pair((33, 22, 70), (19, 25, 18), Tissue.BONE, 700, SOFT)
    sketch.pair((33, 26, 70), (17, 27, 16), Tissue.FAT, -90, SKIN)
    sketch.pair((33, 30, 70), (12, 12, 12), Tissue.ORGAN, 15, lobes=0)
    sketch.pair((33, 8, 70), (4, 14, 4), Tissue.MUSCLE, 20)
    sketch.blob((0, 14, 48), (33, 25, 18), Tissue.BONE, 450, SOFT)
    sketch.blob((0, 4, 52), (17, 36, 18), Tissue.AIR, AIR_HU, SKIN)
    sketch.blob((0, 22, 46), (14, 34, 16), Tissue.AIR, AIR_HU, SKIN)
    sketch.pair((6, 12, 66), (6, 24, 14), Tissue.AIR, AIR_HU, SKIN, 0.1)
    for height in (38, 48, 58):
        sketch.pair((8, 14, height), (3, 22, 3.4), Tissue.ORGAN, 20)
    sketch.blob((0, 16, 48), (1.3, 26, 16), Tissue.BONE, 300)
    sketch.pair((26, 14, 46), (13, 18, 16), Tissue.AIR, AIR_HU, SKIN)
    sketch.pair((8, 34, 88), (9, 6, 9), Tissue.AIR, AIR_HU, (Tissue.BONE, Tissue.ORGAN))
    sketch.tube(
        ((40, 36, 52), (54, 24, 48), (64, 4, 46), (66, -18, 46), (62, -38, 46)), 4, Tissue.BONE, 900, SOFT, True
    )
    sketch.tube(((42, 34, 50), (46, 30, 64), (44, 28, 80)), 4.5, Tissue.BONE, 950, SOFT, True)
    sketch.tube(((20, -8, 52), (18, -12, 40), (19, -14, 26)), 3.5, Tissue.BONE, 700, SOFT, True)


def _paint_jaws(sketch: Sketch) -> None:
    """Mandible, teeth of both jaws, palate and tongue, from the inside to the outside."""
    canvas = sketch.canvas
    sketch.blob((0, 2, 6), (25, 34, 22), Tissue.MUSCLE, 28, (*SOFT, Tissue.AIR))
    sketch.blob((0, 8, 31), (20, 26, 2.5), Tissue.BONE, 600, SOFT)
    box = sketch.cut((-66, -50, -34), (66, 52, 52))
    away, along = _measure_jaw(sketch, box)
    z = sketch.get_axes(box)[2]
    lengths, lower, upper = np.transpose(JAW_HEIGHTS)
    low, high = (np.interp(along, lengths, edge).astype(np.float32) for edge in (lower, upper))
    body = np.clip((68 - along) / 16, 0, 1)  # 1 in the body, 0 in the ramus
    half = 4.0 + 2.2 * body * np.clip((z - low) / 12 + 0.3, 0, 1)
    depth = np.minimum(np.minimum(half - away, z - low), high - z)
    inside = depth > 0
    canvas.fill(box, inside, Tissue.BONE, CORTEX_HU)
    canvas.fill(box, depth > 2.1, Tissue.BONE, MARROW_HU)
    sketch.mark("Mandible", box, inside)
    crown = (along < 46) & (np.abs(np.mod(along, 7.6) - 3.8) < 3.3)
    canvas.fill(box, crown & (away < 4.2) & (z > high) & (z < high + 9), Tissue.BONE, TOOTH_HU)
    canvas.fill(box, crown & (np.abs(away) < 2.2) & (z > high - 9) & (z <= high), Tissue.BONE, 1600)
    canvas.fill(box, crown & (away < 4.2) & (z >= high + 9.5) & (z < high + 18), Tissue.BONE, TOOTH_HU)
    canvas.fill(box, (along < 46) & (away < 4.5) & (z >= high + 18) & (z < high + 28), Tissue.BONE, 700)
    for start, end, radius in (((53, 10, 40), (53, -24, -4), 9.0), ((30, -14, 40), (40, -28, 2), 8.0)):
        sketch.tube((start, end), radius, Tissue.MUSCLE, 30, (Tissue.FAT, Tissue.CAVITY, Tissue.WALL), True)


def _measure_jaw(sketch: Sketch, box: Box) -> tuple[Floats, Floats]:
    """Distance from the middle of the mandible across, and length along it from the chin, (I, J, 1) mm."""
    x, y, _ = sketch.get_axes(box)
    points = np.array(JAW, dtype=np.float32)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    starts = np.concatenate([[0], np.cumsum(steps)])[:-1]
    away = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf, np.float32)
    along = np.zeros_like(away)
    across = np.abs(x)
    for (x0, y0), (x1, y1), step, start in zip(points[:-1], points[1:], steps, starts, strict=True):
        share = np.clip(((across - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / step**2, 0, 1)
        distance = np.hypot(across - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0))
        nearer = distance < away
        away = np.where(nearer, distance, away)
        along = np.where(nearer, start + share * step, along)
    return away, along
