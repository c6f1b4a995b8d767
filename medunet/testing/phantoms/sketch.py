"""A canvas with named structures, on which a head and neck is drawn by positions in a patient's frame.

Vocabulary: a *sketch* is a canvas and its label map. Positions are x to the left of the patient, y to the front and
z to the head, in mm from the middle of the mandible; *pairs* are drawn on both sides.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medunet.testing.phantoms.canvas import ANY, Blob, Box, Canvas, Flags, Floats, Layers, Tissue, Triple

LABELS = {
    "Brainstem": 1,
    "SpinalCord": 2,
    "RightParotid": 3,
    "LeftParotid": 4,
    "Esophagus": 5,
    "Larynx": 6,
    "Mandible": 7,
}
"""Values of what is drawn with a label, by the names of the cohort that `headneck_ct_organs_unet3d` was trained on."""


class Sketch:
    """A canvas, its label map and the patient's frame.

    Args:
        canvas: that is drawn on, with its own frame in the middle of the volume.
        origin: of the patient's frame, x to the left, y to the back and z to the head in mm from the canvas's middle.

    Attributes:
        canvas: as given.
        labels: (I, J, K) uint8, values of `LABELS`, 0 elsewhere.
        x: (I, 1, 1) float32 mm to the left.
        y: (1, J, 1) float32 mm to the front.
        z: (1, 1, K) float32 mm to the head.
    """

    def __init__(self, canvas: Canvas, origin: Triple) -> None:
        self.canvas = canvas
        self.labels = np.zeros(canvas.hu.shape, np.uint8)
        self._origin = origin
        x, y, z = (axis - np.float32(start) for axis, start in zip(canvas.axes, origin, strict=True))
        self.x, self.y, self.z = x.reshape(-1, 1, 1), -y.reshape(1, -1, 1), z.reshape(1, 1, -1)

    def place(self, x: float, y: float, z: float) -> Triple:
        """Position in the frame of the canvas of one in the patient's."""
        return self._origin[0] + x, self._origin[1] - y, self._origin[2] + z

    def cut(self, low: Triple, high: Triple) -> Box:
        """Slices along (I, J, K) of the voxels between two corners of a box.

        Args:
            low: its least x, y and z.
            high: its greatest.
        """
        x = np.searchsorted(self.x.ravel(), (low[0], high[0]))
        y = np.searchsorted(-self.y.ravel(), (-high[1], -low[1]))
        z = np.searchsorted(self.z.ravel(), (low[2], high[2]))
        return slice(*map(int, x)), slice(*map(int, y)), slice(*map(int, z))

    def get_axes(self, box: Box) -> tuple[Floats, Floats, Floats]:
        """Positions x, y and z within a box, which broadcast to its shape."""
        return self.x[box[0]], self.y[:, box[1]], self.z[:, :, box[2]]

    def blob(
        self,
        centre: Triple,
        radii: Triple,
        tissue: Tissue,
        hu: float,
        only: tuple[Tissue, ...] = ANY,
        lobes: float = 0.04,
    ) -> None:
        """Paint one lobed ellipsoid of one tissue.

        Args:
            centre: in the patient's frame.
            radii: mm along x, y, z.
            tissue: what it shows.
            hu: Hounsfield units.
            only: tissues that are painted over.
            lobes: relative amplitude of the variation of the radii.
        """
        drawn = Blob.draw(self.canvas.rng, self.place(*centre), radii, lobes)
        self.canvas.paint(drawn, tissue, ((1, hu),), only)

    def pair(
        self,
        centre: Triple,
        radii: Triple,
        tissue: Tissue,
        hu: float,
        only: tuple[Tissue, ...] = ANY,
        lobes: float = 0.04,
    ) -> None:
        """Paint an ellipsoid on both sides; arguments as of `blob`."""
        for side in (-1, 1):
            self.blob((side * centre[0], *centre[1:]), radii, tissue, hu, only, lobes)

    def organ(
        self, label: str, centre: Triple, radii: Triple, layers: Layers, only: tuple[Tissue, ...], lobes: float = 0.05
    ) -> None:
        """Paint an ellipsoid and label it, where it may be painted.

        Args:
            label: a name of `LABELS`.
            centre: in the patient's frame.
            radii: mm along x, y, z.
            layers: as of `Canvas.paint`.
            only: tissues that are painted over, and labelled.
            lobes: relative amplitude of the variation of the radii.
        """
        blob = Blob.draw(self.canvas.rng, self.place(*centre), radii, lobes)
        box, level, _ = self.canvas.measure(blob)
        self.mark(label, box, (level < 1) & self.canvas.find(box, only))
        self.canvas.paint(blob, Tissue.ORGAN, layers, only)

    def mark(self, label: str, box: Box, inside: Flags) -> None:
        """Label some voxels of a box.

        Args:
            label: a name of `LABELS`.
            box: slices along (I, J, K).
            inside: of the box's shape, true where the structure is.
        """
        self.labels[box][inside] = LABELS[label]

    def tube(
        self,
        controls: Sequence[Triple],
        radius: float,
        tissue: Tissue,
        hu: float,
        only: tuple[Tissue, ...] = ANY,
        both: bool = False,
    ) -> None:
        """Paint a ball along a smooth curve.

        Args:
            controls: points that it goes through, in the patient's frame.
            radius: of the ball, mm.
            tissue: what it shows.
            hu: Hounsfield units.
            only: tissues that are painted over.
            both: on both sides.
        """
        for side in (1, -1) if both else (1,):
            curve = self.canvas.trace([self.place(side * x, y, z) for x, y, z in controls], radius)
            self.canvas.paint_tube(curve, radius, tissue, hu, only)

    def column(self, rows: npt.ArrayLike, box: Box) -> Floats:
        """How far voxels lie from the axis of a column of ellipses, in radii: 1 on its surface.

        Args:
            rows: (N, 5) heights z, upwards, with x and y of the middle and the radii along x and y there; none is
                outside of the least and greatest height.
            box: slices along (I, J, K) in which it is measured.

        Returns:
            Levels of the box's shape.
        """
        x, y, z = self.get_axes(box)
        table = np.asarray(rows, dtype=np.float64)
        heights = z.ravel()
        middle_x, middle_y, wide, deep = (
            np.interp(heights, table[:, 0], table[:, n]).astype(np.float32).reshape(1, 1, -1) for n in range(1, 5)
        )
        level = np.sqrt(((x - middle_x) / wide) ** 2 + ((y - middle_y) / deep) ** 2)
        found: Floats = np.where((z >= table[0, 0]) & (z <= table[-1, 0]), level, np.float32(np.inf))
        return found
