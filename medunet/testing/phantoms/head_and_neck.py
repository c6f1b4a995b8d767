"""Makes up CTs of the head and neck with organs that are known voxel by voxel, and writes them as DICOM.

They are drawn so that networks trained on patients' CTs find the spinal cord and the mandible: proportions and
Hounsfield units are means of such scans, and nothing of a single one is in them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from medunet.files import whole_folder
from medunet.geometry import Grid, flip_lps_ras
from medunet.testing.phantoms.canvas import Canvas, Tissue
from medunet.testing.phantoms.dicom import Identity, write_ct
from medunet.testing.phantoms.head import paint_head
from medunet.testing.phantoms.neck import paint_body, paint_neck
from medunet.testing.phantoms.patients import PhantomSize
from medunet.testing.phantoms.sketch import LABELS, Sketch

NOISE_HU = 11.0
"""Standard deviation of the noise in voxels of 3.9 × 3.9 × 2.5 mm."""
NOISE_VOXEL_ML = 0.0381
BLUR_MM = 0.9
"""Standard deviation of the blur of scanner and reconstruction."""
SCANNED = PhantomSize(shape=(256, 256, 108), spacing=(1.95, 1.95, 2.5))
"""A scan from the shoulders to the forehead."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadAndNeck:
    """A made-up head and neck whose organs are known voxel by voxel.

    Attributes:
        voxels: (I, J, K) int16, Hounsfield units; I runs to the patient's left, J to the back, K to the head.
        labels: (I, J, K) uint8, values of `names`.
        grid: shape and affine from voxel indices to RAS+ in mm.
        names: values of the labels by their names.
        patient_id: HN-0007 for the seed 7.
    """

    voxels: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]
    grid: Grid
    names: dict[str, int]
    patient_id: str


def make_head_and_neck(seed: int, size: PhantomSize = SCANNED) -> HeadAndNeck:
    """Make up one head and neck; equal arguments give equal voxels.

    Args:
        seed: of everything that varies, 0 or more: size, place, fat, contrast, texture and noise.
        size: shape and spacing (mm) of the volume; what it doesn't hold of the anatomy is left out.

    Returns:
        Voxels in Hounsfield units, labels and grid, on axes to the left, to the back and to the head of the patient.
    """
    rng = np.random.default_rng([seed, 30])
    scale = rng.uniform(0.96, 1.04, 3)
    spacing = np.array(size.spacing)
    height = size.shape[2] * size.spacing[2]
    x, y, z = spacing / scale
    canvas = Canvas(size.shape, (float(x), float(y), float(z)), rng)
    # The scan ends above the forehead, or at the middle of its height where it is lower than head and neck.
    up = min(height / 2 - 100, 35) if height > 200 else 0.0
    left, back, head = rng.normal(0, 4, 3).tolist()
    sketch = Sketch(canvas, (left, back - 50, head + up))
    paint_body(sketch)
    paint_neck(sketch)
    paint_head(sketch)
    _paint_couch(sketch)
    affine = np.diag([*size.spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(size.shape) - 1) / 2
    return HeadAndNeck(
        voxels=_take_image(canvas, spacing),
        labels=sketch.labels,
        grid=Grid(size.shape, flip_lps_ras(affine)),
        names=dict(LABELS),
        patient_id=f"HN-{seed:04d}",
    )


def _paint_couch(sketch: Sketch) -> None:
    """A flat couch below the back."""
    canvas = sketch.canvas
    body = np.flatnonzero((canvas.tissue != Tissue.AIR).any(axis=(0, 2)))
    if not len(body):
        return
    top = float(sketch.y.ravel()[body[-1]]) - 3
    whole = (slice(None), slice(None), slice(None))
    across = (np.abs(sketch.x) < 220) & (sketch.z < np.inf) & (canvas.tissue == Tissue.AIR)
    canvas.fill(whole, across & (sketch.y < top) & (sketch.y > top - 30), Tissue.TABLE, -940)
    for face in (top, top - 28):
        canvas.fill(whole, across & (sketch.y < face) & (sketch.y > face - 2.5), Tissue.TABLE, -350)


def _take_image(canvas: Canvas, spacing: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """Blur as scanners do, and add noise that neighbours share a little, more of it in smaller voxels."""
    image = gaussian_filter(canvas.hu, np.hypot(BLUR_MM / spacing, 0.4), truncate=3)
    noise = gaussian_filter(canvas.rng.standard_normal(image.shape, np.float32), 0.5, truncate=2)
    level = NOISE_HU * min(3.0, float(np.sqrt(NOISE_VOXEL_ML / (np.prod(spacing) / 1000))))
    image += noise * np.float32(level / noise.std())
    voxels: npt.NDArray[np.int16] = np.rint(image, out=image).clip(-1024, 3071).astype(np.int16)
    return voxels


def write_head_and_neck(patient: HeadAndNeck, folder: Path) -> None:
    """Write a head and neck as a CT series: `folder`/0001.dcm, …; whole or not at all.

    Args:
        patient: what is written; equal ones give equal bytes.
        folder: that is made; it must not be there yet.

    Raises:
        OutputExistsError: the folder exists.
    """
    identity = Identity.from_content("PHANTOM^HEAD", patient.patient_id, "O", patient.voxels, patient.grid)
    with whole_folder(folder) as part:
        write_ct(part, patient.voxels, patient.grid, identity, ("HEADNECK", "Head and neck"))
