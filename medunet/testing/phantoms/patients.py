"""Makes up CT patients with lesions and writes them as DICOM series with contours.

The lesions are compact blobs of 90 to 200 HU, as bright as vessels, kidneys, spleen or heart, so that no threshold
finds them, while shape and surroundings give them away. Everything is drawn from a seed; nothing stems from a person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, label

from medunet.errors import InputError
from medunet.files import whole_folder
from medunet.geometry import Affine, Grid, Shape, flip_lps_ras
from medunet.progress import track
from medunet.testing.phantoms.anatomy import paint_anatomy
from medunet.testing.phantoms.canvas import Blob, Canvas, Tissue, Triple
from medunet.testing.phantoms.dicom import Identity, write_contours, write_ct

NAMES = ("Ada", "Bela", "Carl", "Dora", "Emil", "Fina", "Gero", "Hilda", "Ivo", "Jana", "Knut", "Lene", "Milo", "Nora")
"""Given names of patients, one after the other by their seed."""
BLUR_VOX = 0.6
"""Standard deviation, in voxels, of the blur that partial volumes bring."""
NOISE_HU = 18.0
"""Standard deviation of the noise."""
LESION_MM = (26.0, 44.0)
"""Mean diameters that are drawn; shape and lobes widen the range to about 20 to 50 mm."""
SOFT = (Tissue.CAVITY, Tissue.LUNG, Tissue.WALL, Tissue.LIVER, Tissue.MUSCLE, Tissue.BOWEL, Tissue.FAT)
"""What a lesion may grow into."""
SITES = (Tissue.LIVER, Tissue.LIVER, Tissue.CAVITY, Tissue.CAVITY, Tissue.WALL, Tissue.MUSCLE)
"""Where the centre of a lesion lies, as often as named; in the wall of the thorax it touches the lung."""


@dataclass(frozen=True, slots=True)
class PhantomSize:
    """Size of a made-up volume.

    Attributes:
        shape: voxels along (I, J, K), at least 8 each.
        spacing: mm along (I, J, K), more than 0 each.

    Raises:
        InputError: an axis has fewer voxels, or a spacing is not positive.
    """

    shape: Shape
    spacing: Triple

    def __post_init__(self) -> None:
        if min(self.shape) < 8 or not min(self.spacing) > 0:
            raise InputError(f"phantom of {self.shape}", "it is too small", "take 8 voxels or more along each axis")


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A made-up patient whose lesions are known voxel by voxel.

    Attributes:
        voxels: (I, J, K) int16, Hounsfield units; I runs to the patient's left, J to the back, K to the head, but
            for the tilt of an oblique patient.
        lesion: (I, J, K) uint8, 1 in lesions, 0 elsewhere.
        grid: shape and affine from voxel indices to RAS+ in mm; tilted about two axes in an oblique patient.
        name: patient's name in DICOM form.
        patient_id: the patient's id, PH-0007 for the seed 7.
        sex: "M" or "F".
        lesions: number of lesions that were asked for.
        oblique: whether the grid is tilted.
    """

    voxels: npt.NDArray[np.int16]
    lesion: npt.NDArray[np.uint8]
    grid: Grid
    name: str
    patient_id: str
    sex: str
    lesions: int
    oblique: bool


def make_patient(seed: int, size: PhantomSize, lesions: int, oblique: bool = False) -> Phantom:
    """Make up one patient; equal arguments give equal voxels.

    Args:
        seed: of everything that varies, 0 or more; also gives name and id.
        size: shape and spacing (mm) of the volume.
        lesions: number of lesions; in a volume too small for them they may touch each other.
        oblique: tilt the grid by 5 to 12 degrees about two axes.

    Returns:
        Voxels in Hounsfield units, lesion mask and grid, on axes to the left, to the back and to the head of the
        patient.
    """
    rng = np.random.default_rng([seed, 20])
    canvas = Canvas(size.shape, size.spacing, rng)
    paint_anatomy(canvas)
    mask = np.zeros(size.shape, np.uint8)
    _paint_lesions(canvas, lesions, mask)
    return Phantom(
        voxels=_take_image(canvas),
        lesion=mask,
        grid=Grid(size.shape, _draw_affine(rng, size, oblique)),
        name=f"PHANTOM^{NAMES[seed % len(NAMES)]}",
        patient_id=f"PH-{seed:04d}",
        sex="FM"[seed % 2],
        lesions=lesions,
        oblique=oblique,
    )


def _paint_lesions(canvas: Canvas, count: int, mask: npt.NDArray[np.uint8]) -> None:
    """Paint lesions where they displace little but soft tissue, apart from each other."""
    rng = canvas.rng
    largest = 0.3 * float(min(axis[-1] - axis[0] for axis in canvas.axes))
    taken: list[tuple[Triple, float]] = []
    for _ in range(count):
        diameter = min(rng.uniform(*LESION_MM), largest)
        radii = diameter / 2 * rng.uniform(0.88, 1.12, 3)
        waves = rng.normal(0, 1.6, (4, 3)), rng.uniform(0, 2 * np.pi, 4)
        blobs = [
            Blob(centre, (radii[0], radii[1], radii[2]), 0.1, *waves)
            for centre in _draw_centres(canvas, SITES[rng.integers(len(SITES))], diameter / 2)
        ]
        blob = min(blobs, key=lambda candidate: _measure_clash(canvas, candidate, taken))
        taken.append((blob.centre, diameter / 2))
        box, level, waves_hu = canvas.measure(blob)
        inside = (level < 1) & canvas.find(box, SOFT)
        parts, number = label(inside)
        if number > 1:
            inside = parts == np.bincount(parts.ravel())[1:].argmax() + 1
        layers = ((1.0, rng.uniform(112, 126)), (0.72, rng.uniform(150, 195)))[: 1 + int(rng.random() < 0.6)]
        for limit, hu in layers:
            canvas.fill(box, inside & (level < limit), Tissue.LESION, hu + 7 * waves_hu)
        mask[box][inside] = 1


def _draw_centres(canvas: Canvas, site: Tissue, radius: float) -> list[Triple]:
    """Up to 40 random places within a tissue, a radius away from the volume's borders; its centre where none is."""
    limits = [(axis[0] + radius, axis[-1] - radius) for axis in canvas.axes]
    places = np.column_stack([canvas.rng.uniform(low, high, 4000) for low, high in limits])
    indices = np.rint(places / canvas.spacing + (np.array(canvas.hu.shape) - 1) / 2).astype(int)
    fits = places[canvas.tissue[tuple(indices.T)] == site][:40]
    return [(float(x), float(y), float(z)) for x, y, z in fits] or [(0.0, 0.0, 0.0)]


def _measure_clash(canvas: Canvas, blob: Blob, taken: list[tuple[Triple, float]]) -> float:
    """Fraction of a blob that isn't soft tissue, with lung as half; more than 1 beside another lesion."""
    box, level, _ = canvas.measure(blob)
    inside = level < 1.1
    hard = float(np.mean(~canvas.find(box, SOFT)[inside])) if inside.any() else 1.0
    lung = float(np.mean(canvas.find(box, (Tissue.LUNG,))[inside])) if inside.any() else 1.0
    reach = 1.2 * max(blob.radii) + 8
    near = any(np.linalg.norm(np.subtract(blob.centre, other)) < reach + 1.3 * radius for other, radius in taken)
    # A twentieth of other tissue is no worse than none: lesions may touch bone and vessels.
    return max(hard, 0.05) + max(0.0, lung - 0.5) + 2.0 * near


def _take_image(canvas: Canvas) -> npt.NDArray[np.int16]:
    """Blur as partial volumes do, and add noise that neighbours share a little."""
    image = gaussian_filter(canvas.hu, BLUR_VOX, truncate=3)
    noise = gaussian_filter(canvas.rng.standard_normal(image.shape, np.float32), 0.5, truncate=2)
    noise *= np.float32(NOISE_HU / noise.std())
    image += noise
    voxels: npt.NDArray[np.int16] = np.rint(image, out=image).clip(-1024, 3071).astype(np.int16)
    return voxels


def _draw_affine(rng: np.random.Generator, size: PhantomSize, oblique: bool) -> Affine:
    """Voxel-to-RAS affine of an upright or tilted grid, with the middle of the volume near the scanner's."""
    degrees = rng.uniform(5, 12, 2) * rng.choice([-1, 1], 2) * oblique
    (cos_x, cos_z), (sin_x, sin_z) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cos_x, -sin_x], [0, sin_x, cos_x]])
    about_z = np.array([[cos_z, -sin_z, 0], [sin_z, cos_z, 0], [0, 0, 1]])
    affine_lps = np.eye(4)
    affine_lps[:3, :3] = about_z @ about_x * size.spacing
    centre = np.round(rng.uniform((-10, -160, 600), (10, -140, 900)), 2)
    affine_lps[:3, 3] = centre - affine_lps[:3, :3] @ ((np.array(size.shape) - 1) / 2)
    return flip_lps_ras(affine_lps)


def write_patient(phantom: Phantom, folder: Path, roi: str = "lesion") -> None:
    """Write a patient as `folder`/CT/0001.dcm, … and `folder`/contours.dcm (an RTSTRUCT); whole or not at all.

    Equal patients give equal bytes. A patient without lesions has the ROI declared and no contours, which is valid
    and common in clinics.

    Args:
        phantom: the patient.
        folder: that is made; it must not be there yet.
        roi: name of the one region of interest, which holds all lesions.

    Raises:
        OutputExistsError: the folder exists.
    """
    identity = Identity.from_content(phantom.name, phantom.patient_id, phantom.sex, phantom.voxels, phantom.grid)
    with whole_folder(folder) as part:
        write_ct(part / "CT", phantom.voxels, phantom.grid, identity)
        write_contours(part / "contours.dcm", phantom.lesion, phantom.grid, identity, roi)


def draw_cohort(patients: int, size: PhantomSize, seed: int = 0) -> Iterator[Phantom]:
    """Make up varied patients, one at a time.

    Most have 1 to 3 lesions and every seventh none; every fourth is oblique; spacing varies by 10 % in the plane
    and in steps of a fifth along K, where the number of slices follows so that the same height is shown.

    Args:
        patients: how many.
        size: shape and spacing (mm) that theirs vary about.
        seed: of the first; the next has the next one.

    Yields:
        One patient after the other; only the one at hand is in memory.
    """
    for number in range(patients):
        rng = np.random.default_rng([seed + number, 10])
        factor, thick = rng.uniform(0.9, 1.1), float(rng.choice([0.8, 1.0, 1.0, 1.2]))
        x, y, z = size.spacing
        spacing = (round(x * factor, 3), round(y * factor, 3), round(z * thick, 3))
        shape = (*size.shape[:2], max(8, round(size.shape[2] * z / spacing[2])))
        lesions = 0 if number % 7 == 5 else int(rng.integers(1, 4))
        yield make_patient(seed + number, PhantomSize(shape, spacing), lesions, oblique=number % 4 == 3)


def make_cohort(folder: Path, patients: int, size: PhantomSize, seed: int = 0) -> list[Path]:
    """Write the patients of `draw_cohort` as DICOM, each in a folder named after its id.

    Args:
        folder: takes the folders of the patients; made if it isn't there.
        patients: how many.
        size: shape and spacing (mm) that theirs vary about.
        seed: of the first; the next has the next one.

    Returns:
        The folders of the patients, in the order of their seeds.

    Raises:
        OutputExistsError: the folder of a patient exists.
    """
    folders = []
    for phantom in track(draw_cohort(patients, size, seed), "made-up patients", patients):
        folders.append(folder / phantom.patient_id)
        write_patient(phantom, folders[-1])
    return folders
