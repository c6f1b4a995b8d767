"""Scans of another kind, made of ordinary ones: what the column `trust` should tell from those of training."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medunet.geometry import Grid
from medunet.reading import Volume, read_volume

Volumes = Mapping[str, Volume]
Shift = Callable[[Volumes, Path, int], dict[str, Volume] | None]
"""From the images of a case, by channel, its folder and a seed to others; None where it can't be made of it."""
NOISE = {"HU": 200.0, "SUVbw": 3.0, "": 40.0}
"""Standard deviation of strong noise, by the unit of values; of pictures without one of 255 grey levels."""


def _change(volume: Volume, voxels: Any) -> Volume:
    if volume.grid.unit == "px":
        return replace(volume, voxels=np.clip(np.rint(voxels), 0, 255).astype(np.uint8))
    return replace(volume, voxels=voxels.astype(np.float32))


def keep(volumes: Volumes, _folder: Path, _seed: int) -> dict[str, Volume]:
    """The scan as it is, in 32 bits."""
    return {name: _change(volume, volume.voxels) for name, volume in volumes.items()}


def cut_half(volumes: Volumes, _folder: Path, _seed: int) -> dict[str, Volume]:
    """The first half along the first axis."""
    cut = {}
    for name, volume in volumes.items():
        i, j, k = volume.grid.shape
        grid = Grid((i // 2, j, k), volume.grid.affine, volume.grid.unit)
        cut[name] = replace(_change(volume, volume.voxels[:, : i // 2]), grid=grid)
    return cut


def add_noise(volumes: Volumes, _folder: Path, seed: int) -> dict[str, Volume]:
    """Normal noise in every channel."""
    rng, made = np.random.default_rng(seed), {}
    for name, volume in volumes.items():
        noise = rng.normal(0, NOISE.get(volume.source.units, NOISE[""]), volume.voxels.shape)
        made[name] = _change(volume, volume.voxels.astype(np.float64) + noise)
    return made


def add_1024(volumes: Volumes, _folder: Path, _seed: int) -> dict[str, Volume] | None:
    """HU of which nobody took the intercept."""
    return {
        **keep(volumes, _folder, _seed),
        "ct": _change(volumes["ct"], volumes["ct"].voxels.astype(np.float64) + 1024.0),
    }


def take_mr(volumes: Volumes, folder: Path, _seed: int) -> dict[str, Volume] | None:
    """An MR, where the patient has one, in place of the CT, in a file that doesn't say what it is."""
    if not (folder / "MR_T1").is_dir():
        return None
    mr = read_volume(folder / "MR_T1")
    return {**keep(volumes, folder, _seed), "ct": _change(mr, mr.voxels)}


def swap(volumes: Volumes, _folder: Path, _seed: int) -> dict[str, Volume] | None:
    """PET in place of the CT and the other way round, where there are both."""
    if "pet" not in volumes:
        return None
    kept = keep(volumes, _folder, _seed)
    return {"ct": kept["pet"], "pet": kept["ct"]}


def scale_by(factor: float) -> Shift:
    """Headers whose spacing is wrong by a factor."""

    def scale(volumes: Volumes, folder: Path, seed: int) -> dict[str, Volume]:
        scaled = {}
        for name, volume in keep(volumes, folder, seed).items():
            affine = np.array(volume.grid.affine)
            affine[:3, :3] *= factor
            scaled[name] = replace(volume, grid=Grid(volume.grid.shape, affine, volume.grid.unit))
        return scaled

    return scale


def magnify(volumes: Volumes, _folder: Path, _seed: int) -> dict[str, Volume]:
    """A quarter of the picture along each axis, four times as large."""
    made = {}
    for name, volume in volumes.items():
        i, j, _ = volume.grid.shape
        part = volume.voxels[:, : max(1, i // 4), : max(1, j // 4)]
        large = part.repeat(4, axis=1).repeat(4, axis=2)
        grid = Grid((large.shape[1], large.shape[2], 1), volume.grid.affine, "px")
        made[name] = replace(_change(volume, large), grid=grid)
    return made


def invert(volumes: Volumes, _folder: Path, _seed: int) -> dict[str, Volume]:
    """The negative of a picture."""
    return {name: _change(volume, 255.0 - volume.voxels.astype(np.float64)) for name, volume in volumes.items()}


SHIFTS: dict[str, dict[str, Shift]] = {
    "mm": {
        "HU + 1024": add_1024,
        "MR in place of CT": take_mr,
        "CT and PET swapped": swap,
        "half the field of view": cut_half,
        "strong noise": add_noise,
        "spacing twice": scale_by(2.0),
        "spacing half": scale_by(0.5),
    },
    "px": {
        "negative": invert,
        "half the field of view": cut_half,
        "strong noise": add_noise,
        "magnified four times": magnify,
    },
}
"""Kinds by the unit of the grid, of a CT with PET and of pictures."""
