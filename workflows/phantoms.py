"""Made-up CT patients: an abdomen with lesions that a threshold can't find, written as DICOM with contours.

    python workflows/phantoms.py OUT [--patients 12] [--seed 0] [--shape 112,88,44] [--spacing 3.2,3.2,5.0]

Everything is drawn from a seed: bodies, organs, vessels, lesions, names. Nothing stems from a person.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from phantom_dicom import write_contours, write_slices
from scipy import ndimage

from medunet.geometry import Grid

Field = npt.NDArray[np.float32]
Draw = np.random.Generator
SLAB = 24
"""Slices that are painted at once, so that a full CT needs no more memory than its own voxels."""
NAMES = ("Ada", "Bo", "Cleo", "Dag", "Eli", "Fay", "Gus", "Hal", "Ina", "Jo", "Kit", "Lou", "Max", "Nia", "Ole", "Pia")


@dataclass(frozen=True)
class PhantomSize:
    """Voxels (I, J, K) and spacing in mm of a phantom."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class Phantom:
    """A made-up patient: HU (I, J, K) int16, lesions (I, J, K) uint8, their grid, and a name and id."""

    voxels: npt.NDArray[np.int16]
    lesion: npt.NDArray[np.uint8]
    grid: Grid
    name: str
    patient_id: str


@dataclass(frozen=True)
class Lesion:
    """A lobulated ellipsoid: centre and half-axes in mm, HU, and the phases of its lobes."""

    centre: tuple[float, float, float]
    half_axes: tuple[float, float, float]
    hu: float
    phases: tuple[float, float, float]


def make_patient(seed: int, size: PhantomSize, lesions: int, *, oblique: bool = False) -> Phantom:
    """Draw one patient.

    Args:
        seed: of everything.
        size: of the volume.
        lesions: how many it has, 0 to 3.
        oblique: tilt the grid by some degrees about two axes.
    """
    draw = np.random.default_rng(seed)
    extent = np.array(size.shape) * size.spacing
    scale = float(min(extent[0] / 358, extent[1] / 282))
    body = _draw_body(draw, scale, float(extent[2]))
    placed = _place_lesions(draw, lesions, scale, float(extent[2]))
    x, y = (
        ((np.arange(size.shape[axis]) - (size.shape[axis] - 1) / 2) * size.spacing[axis]).astype(np.float32)
        for axis in (0, 1)
    )
    z = ((np.arange(size.shape[2]) - (size.shape[2] - 1) / 2) * size.spacing[2]).astype(np.float32)
    voxels = np.empty(size.shape, dtype=np.int16)
    mask = np.zeros(size.shape, dtype=np.uint8)
    for start in range(0, size.shape[2], SLAB):
        planes = slice(start, start + SLAB)
        where = (x[:, None, None], y[None, :, None], z[None, None, planes])
        hu = body(*where)
        inside = np.zeros(hu.shape, dtype=np.bool_)
        for lesion in placed:
            _paint_lesion(hu, inside, lesion, where, draw)
        voxels[:, :, planes] = _image(hu, draw)
        mask[:, :, planes] = inside
    grid = _make_grid(size, draw, oblique=oblique)
    return Phantom(voxels, mask, grid, f"PHANTOM^{NAMES[seed % len(NAMES)]}", f"PH-{seed:05d}")


def _draw_body(draw: Draw, scale: float, height: float) -> Callable[[Field, Field, Field], Field]:
    """A function of world positions (mm, relative to the middle; y to the front) that gives HU."""
    wide, deep = scale * draw.uniform(135, 155), scale * draw.uniform(95, 112)
    liver = _ball(draw, (62, 12, 35), (66, 60, 60), scale)
    spleen = _ball(draw, (-82, -28, 40), (26, 34, 38), scale)
    kidneys = [_ball(draw, (side * 62, -48, -15), (24, 22, 44), scale) for side in (1, -1)]
    bowel = [
        _ball(draw, (draw.uniform(-80, 80), draw.uniform(5, 60), draw.uniform(-110, 5)), (24, 20, 20), scale)
        for _ in range(12)
    ]
    gas = draw.random(len(bowel)) < 0.35
    fillings = draw.uniform(20, 55, len(bowel))
    tubes = [(-9, -44, 11.0, 195.0, 3.0), (17, -40, 10.0, 150.0, 4.0)]
    tubes += [
        (draw.uniform(-60, 60), draw.uniform(-25, 45), draw.uniform(4.5, 7.5), draw.uniform(150, 215), 22.0)
        for _ in range(7)
    ]
    bends = draw.uniform(0, 2 * np.pi, (len(tubes), 2))
    liver_hu, ribs = draw.uniform(62, 85), draw.uniform(0, 2 * np.pi)
    dome = height / 2 - scale * draw.uniform(30, 60)

    def paint(x: Field, y: Field, z: Field) -> Field:
        waist = 1 + 0.05 * np.sin(z / 70)
        radius = np.sqrt((x / (wide * waist)) ** 2 + (y / (deep * waist)) ** 2)
        hu = np.full(radius.shape, -1000, dtype=np.float32)
        hu[np.broadcast_to((np.abs(y + deep * 1.12 - 0.0006 * x**2) < 5), hu.shape)] = -250  # the table
        hu[radius < 1] = -105
        hu[(radius < 0.90) & (radius >= 0.80)] = 55
        hu[radius < 0.80] = -85
        bone = (np.abs(radius - 0.83) < 0.025) & (np.sin(2 * np.pi * (z + 0.4 * np.abs(x)) / 34 + ribs) > 0.55)
        hu[bone & (z > -height * 0.2)] = 520
        for centre, filling, holds_gas in zip(bowel, fillings, gas, strict=True):
            distance = centre(x, y, z)
            hu[distance < 1] = filling
            if holds_gas:
                hu[distance < 0.45] = -700
        hu[liver(x, y, z) < 1] = liver_hu
        hu[spleen(x, y, z) < 1] = 118
        for kidney in kidneys:
            distance = kidney(x, y, z)
            hu[distance < 1] = 178
            hu[distance < 0.35] = 120
        lung = ((np.abs(x) - 62 * scale) / (52 * scale)) ** 2 + (y / (70 * scale)) ** 2
        hu[(lung + ((z - height / 2 - 25) / (height / 2 + 25 - dome)) ** 2 < 1) & (radius < 0.80)] = -840
        for (at_x, at_y, wide_mm, value, bend), (first, second) in zip(tubes, bends, strict=True):
            off_x = x - scale * (at_x + bend * np.sin(z / 45 + first))
            off_y = y - scale * (at_y + bend * np.sin(z / 38 + second))
            hu[off_x**2 + off_y**2 < (scale * wide_mm) ** 2] = value
        spine = np.sqrt(x**2 + (y + 72 * scale) ** 2) / (scale * (19 + 2 * np.sin(2 * np.pi * z / 30)))
        hu[spine < 1] = 230
        hu[(spine < 1) & (spine > 0.82)] = 620
        return hu

    return paint


def _ball(
    draw: Draw, centre: tuple[float, float, float], half_axes: tuple[float, float, float], scale: float
) -> Callable[[Field, Field, Field], Field]:
    """Squared distance from a jittered ellipsoid's centre, 1 at its surface."""
    at = scale * (np.array(centre) + draw.normal(0, 4, 3))
    axes = scale * np.array(half_axes) * draw.uniform(0.88, 1.12, 3)

    def distance(x: Field, y: Field, z: Field) -> Field:
        squared: Field = ((x - at[0]) / axes[0]) ** 2 + ((y - at[1]) / axes[1]) ** 2 + ((z - at[2]) / axes[2]) ** 2
        return squared

    return distance


def _place_lesions(draw: Draw, count: int, scale: float, height: float) -> list[Lesion]:
    placed: list[Lesion] = []
    while len(placed) < count:
        radius = scale * draw.uniform(9, 25)
        centre = (
            scale * draw.uniform(-85, 85),
            scale * draw.uniform(-35, 55),
            draw.uniform(-0.36, 0.22) * height,
        )
        off_middle = (centre[0] / (105 * scale)) ** 2 + (centre[1] / (72 * scale)) ** 2
        near = any(np.linalg.norm(np.subtract(centre, other.centre)) < 60 * scale for other in placed)
        if off_middle > 0.8 or near:
            continue
        x, y, z = radius * draw.uniform(0.8, 1.2, 3)
        first, second, third = draw.uniform(0, 2 * np.pi, 3)
        placed.append(Lesion(centre, (x, y, z), float(draw.uniform(125, 205)), (first, second, third)))
    return placed


def _paint_lesion(
    hu: Field, inside: npt.NDArray[np.bool_], lesion: Lesion, where: tuple[Field, Field, Field], draw: Draw
) -> None:
    u, v, w = ((axis - at) / half for axis, at, half in zip(where, lesion.centre, lesion.half_axes, strict=True))
    lobes = 1 + 0.16 * np.sin(3 * u + lesion.phases[0]) * np.sin(3 * v + lesion.phases[1]) * np.sin(
        3 * w + lesion.phases[2]
    )
    distance = np.sqrt(u**2 + v**2 + w**2) / lobes
    # Two lesions never overlap, so each fills its own voxels.
    own = distance < 1
    texture = ndimage.gaussian_filter(draw.normal(0, 1, hu.shape).astype(np.float32), 1.2) * 40
    hu[own] = (lesion.hu - 25 * (distance < 0.45) + texture)[own]
    inside |= own


def _image(hu: Field, draw: Draw) -> npt.NDArray[np.int16]:
    """Partial volume and noise, within the 12 bits of a CT."""
    blurred = ndimage.gaussian_filter(hu, (0.6, 0.6, 0))
    noise = ndimage.gaussian_filter(draw.normal(0, 1, hu.shape).astype(np.float32), (0.6, 0.6, 0)) * 36
    return np.clip(np.rint(blurred + noise), -1024, 3071).astype(np.int16)


def _make_grid(size: PhantomSize, draw: Draw, *, oblique: bool) -> Grid:
    # DICOM's usual axial order: columns run to the patient's left, rows to the back, slices to the head.
    axes = np.diag([-1.0, -1.0, 1.0])
    if oblique:
        about_x, about_z = np.radians(draw.uniform(5, 12, 2))
        turn_x = np.array(
            [[1, 0, 0], [0, np.cos(about_x), -np.sin(about_x)], [0, np.sin(about_x), np.cos(about_x)]]
        )
        turn_z = np.array(
            [[np.cos(about_z), -np.sin(about_z), 0], [np.sin(about_z), np.cos(about_z), 0], [0, 0, 1]]
        )
        axes = turn_z @ turn_x @ axes
    affine = np.eye(4)
    affine[:3, :3] = axes * size.spacing
    middle = (np.array(size.shape) - 1) / 2
    affine[:3, 3] = draw.uniform(-40, 40, 3) - affine[:3, :3] @ middle
    return Grid(size.shape, affine)


def orient_like_dicom(phantom: Phantom) -> Phantom:
    """Turn the painted axes (x to the right, y to the front) to the order of the grid (to the left, to the back)."""
    return Phantom(
        phantom.voxels[::-1, ::-1], phantom.lesion[::-1, ::-1], phantom.grid, phantom.name, phantom.patient_id
    )


def write_patient(phantom: Phantom, folder: Path) -> None:
    """Write `folder`/CT/*.dcm and `folder`/contours.dcm with the structure "lesion".

    A patient without a lesion has the structure declared and no contours, as contouring programs write it.
    """
    series = write_slices(phantom.voxels, phantom.grid, phantom.name, phantom.patient_id, folder / "CT")
    write_contours(phantom.lesion, phantom.grid, series, folder / "contours.dcm")


def make_cohort(folder: Path, patients: int, size: PhantomSize, seed: int = 0) -> list[Path]:
    """Write patients with 1 to 3 lesions, every seventh with none, every fourth oblique, of varied spacing.

    Returns:
        The folder of each patient.
    """
    folders = []
    for number in range(patients):
        draw = np.random.default_rng((seed, number))
        factor = draw.uniform(0.94, 1.06)
        thick = size.spacing[2] * float(draw.choice([0.8, 1.0, 1.0, 1.2]))
        spacing = (round(size.spacing[0] * factor, 3), round(size.spacing[1] * factor, 3), round(thick, 3))
        slices = max(2, round(size.shape[2] * size.spacing[2] / thick))
        varied = PhantomSize((size.shape[0], size.shape[1], slices), spacing)
        lesions = 0 if number % 7 == 5 else int(draw.integers(1, 4))
        phantom = orient_like_dicom(make_patient(seed + number, varied, lesions, oblique=number % 4 == 3))
        write_patient(phantom, folder / phantom.patient_id)
        folders.append(folder / phantom.patient_id)
    return folders


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shape", default="112,88,44", help="voxels")
    parser.add_argument("--spacing", default="3.2,3.2,5.0", help="mm")
    arguments = parser.parse_args()
    i, j, k = (int(n) for n in arguments.shape.split(","))
    x, y, z = (float(n) for n in arguments.spacing.split(","))
    for folder in make_cohort(arguments.out, arguments.patients, PhantomSize((i, j, k), (x, y, z)), arguments.seed):
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
