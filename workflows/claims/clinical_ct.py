"""What a bundle for CTs that were cut out of their surroundings loses on scans as a scanner gives them.

python workflows/claims/clinical_ct.py BUNDLE --data FOLDER --out FOLDER [--every 4]

Of each held-out patient (of every nth, with `--every`) scans are made: a couch with a mask and noise in the air, a grid
four times finer within a slice with its noise, a field of view one and a half times as wide, and all of these. Each is
predicted by the network that never saw the patient, as anybody would, and scored on its own grid beside the scan as it
is. What is drawn isn't what training draws: a flat plate of constant thickness, a shell that touches the body, a rod.
`--out` keeps what was measured, so that a run goes on.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

sys.path.append(str(Path(__file__).parents[1]))
from command import finish
from trust_score import Bench, keep_result, measure_dice

from medunet.cohort import Case, open_case
from medunet.geometry import Grid
from medunet.labels import Mask
from medunet.progress import track
from medunet.reading import Volume

Voxels = npt.NDArray[np.float32]
Scan = tuple[Voxels, npt.NDArray[np.unsignedinteger], Grid]
"""HU and labels (I, J, K) on one grid, whose axes run to the right, the front and the head, or the other way round."""
AIR_HU = -1000.0
EMPTY_HU = -1023.0
"""At most this are voxels that were cut away."""
FINER = 4
WORDS = ("as trained", "look", "outside training")


def keep(scan: Scan, _rng: np.random.Generator) -> Scan:
    """The scan as it is."""
    return scan


def widen(scan: Scan, _rng: np.random.Generator) -> Scan:
    """A field of view one and a half times as wide, with nothing in it."""
    values, labels, grid = scan
    room = [(size // 4, size // 4) for size in values.shape[:2]] + [(0, 0)]
    affine = np.array(grid.affine)
    affine[:3, 3] -= affine[:3, :3] @ [before for before, _ in room]
    wide = np.pad(values, room, constant_values=float(values.min()))
    return wide, np.pad(labels, room), lay(wide, affine)


def surround(scan: Scan, rng: np.random.Generator) -> Scan:
    """Air with its noise, a plate behind the body with foam in it, a shell on its front, a rod beside it."""
    values, labels, grid = scan
    outside = find_outside(values)
    if not outside.any() or outside.all():
        return scan
    drawn = rng.normal(AIR_HU, 12.0, values.shape).astype(np.float32)
    spacing = np.array(grid.spacing)
    to_front = bool(grid.affine[1, 1] > 0)
    depth = np.arange(values.shape[1]) * spacing[1]
    depth = (depth[::-1] if to_front else depth)[None, :, None]
    side = ((np.arange(values.shape[0]) - values.shape[0] / 2) * spacing[0])[:, None, None]
    back = float(np.broadcast_to(depth, values.shape)[~outside].max())
    inner = depth - back - 3.0
    plate = np.broadcast_to((np.abs(side) < 230) & (inner >= 0) & (inner < 25), values.shape)
    drawn[plate] = rng.normal(-930.0, 15.0, int(plate.sum()))
    drawn[np.broadcast_to((np.abs(side) < 230) & (inner >= 0) & ((inner < 4) | (inner > 21)), values.shape)] = -250.0
    shell = ndimage.binary_dilation(~outside, np.ones((3, 3, 1), bool)) & outside
    drawn[shell & np.broadcast_to(depth < back - 60, values.shape)] = -400.0
    rod = (side - 170) ** 2 + (inner + 40) ** 2 < 36
    drawn[np.broadcast_to(rod, values.shape)] = 150.0
    return np.where(outside, drawn, values), labels, grid


def find_outside(values: Voxels) -> npt.NDArray[np.bool_]:
    """Voxels that were cut away around the body, and none within it."""
    parts, _ = ndimage.label(values <= EMPTY_HU)
    ends = [parts[[0, -1]].ravel(), parts[:, [0, -1]].ravel()]
    touched = np.unique(np.concatenate(ends))
    outside: npt.NDArray[np.bool_] = np.isin(parts, touched[touched > 0])
    return outside


def refine(scan: Scan, rng: np.random.Generator) -> Scan:
    """A grid four times finer within a slice, with the noise of such small voxels."""
    values, labels, grid = scan
    empty = find_outside(values)
    fine = ndimage.zoom(values, (FINER, FINER, 1), order=1, grid_mode=True, mode="nearest")
    fine += rng.normal(0.0, 40.0, fine.shape).astype(np.float32)
    fine[repeat(empty)] = float(values.min())
    affine = np.array(grid.affine)
    affine[:3, :2] /= FINER
    affine[:3, 3] -= affine[:3, :2] @ np.full(2, (FINER - 1) / 2)
    return fine, repeat(labels), lay(fine, affine)


def lay(values: Voxels, affine: npt.NDArray[np.float64]) -> Grid:
    """The grid of voxels by their affine."""
    i, j, k = values.shape
    return Grid((i, j, k), affine)


def repeat(voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each voxel as the finer ones that it becomes."""
    return voxels.repeat(FINER, axis=0).repeat(FINER, axis=1)


def add_noise(scan: Scan, rng: np.random.Generator) -> Scan:
    """Noise of 40 HU everywhere but where the scan was cut away."""
    values, labels, grid = scan
    noisy = values + rng.normal(0.0, 40.0, values.shape).astype(np.float32)
    return np.where(find_outside(values), values, noisy), labels, grid


def combine(scan: Scan, rng: np.random.Generator) -> Scan:
    """As in a clinic: finer, wider, on a couch."""
    return surround(widen(refine(scan, rng), rng), rng)


KINDS: dict[str, Callable[[Scan, np.random.Generator], Scan]] = {
    "as it is": keep,
    "couch, mask, noise in the air": surround,
    "noise of 40 HU": add_noise,
    "four times finer, noise of 40 HU": refine,
    "field of view 1.5 times as wide": widen,
    "all of these": combine,
}


def measure(bench: Bench, fold: int, case: Case, kind: str, seed: int) -> dict[str, Any]:
    """Dice of each structure that is known in the patient, and the words of `trust`."""
    volume, truth = open_case(bench.cohort, case)
    scan: Scan = (volume.voxels[0].astype(np.float32), truth.voxels, volume.grid)
    values, labels, grid = KINDS[kind](scan, np.random.default_rng(seed))
    name = bench.cohort.channels[0]
    made = Volume(np.rint(values)[None].astype(np.int16), grid, volume.source)
    mask = bench.predict(fold, case, {name: made})
    known = Mask(truth.kind, labels, grid, truth.table, unknown=truth.unknown)
    words = {item.name: item.trust for item in (mask.confidence.structures if mask.confidence else ())}
    return {
        "dice": {region.name: measure_dice(known, mask, region.name) for region in known.list_known()},
        "trust": words,
        "scan": [*(mask.confidence.reasons if mask.confidence else ())],
    }


def measure_all(bench: Bench, every: int) -> dict[str, list[dict[str, Any]]]:
    """By kind of scan what was measured of each patient, in the same order."""
    held = bench.list_held_out()[::every]
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for number, (fold, case) in enumerate(track(held, "held-out cases", len(held))):
        for kind, results in found.items():
            make = partial(measure, bench, fold, case, kind, number)
            results.append(keep_result(bench.out / f"{case.id} {kind.replace(' ', '-')}.json", make))
    return found


def tell(found: Mapping[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Tables in Markdown: Dice of each structure and what it loses, and how often `trust` says so."""
    base = found["as it is"]
    names = list(dict.fromkeys(name for row in base for name in row["dice"]))
    yield f"| scans | {' | '.join(names)} | mean | lost |\n|---{'|---' * (len(names) + 2)}|"
    means = {}
    for kind, rows in found.items():
        own = [np.mean([row["dice"][name] for row in rows if name in row["dice"]]) for name in names]
        means[kind] = float(np.mean(own))
        lost = means["as it is"] - means[kind]
        yield f"| {kind} | {' | '.join(f'{value:.3f}' for value in own)} | {means[kind]:.3f} | {lost:.3f} |"
    yield f"\n| scans | patients | {' | '.join(WORDS)} | masks that lost 0.1, of these looked at |"
    yield "|---|---|---|---|---|---|"
    for kind, rows in found.items():
        words = [word for row in rows for word in row["trust"].values()]
        worse = [
            row["trust"].get(name)
            for row, plain in zip(rows, base, strict=True)
            for name, dice in row["dice"].items()
            if plain["dice"][name] - dice >= 0.1
        ]
        counts = " | ".join(str(words.count(word)) for word in WORDS)
        yield f"| {kind} | {len(rows)} | {counts} | {len(worse)}, {sum(word != WORDS[0] for word in worse)} |"


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the cohort, with folds.json")
    parser.add_argument("--out", type=Path, default=Path("clinical"), help="folder for what was measured of each case")
    parser.add_argument("--every", type=int, default=1, help="takes every nth held-out patient")
    arguments = parser.parse_args()

    def run() -> None:
        bench = Bench(arguments.bundle, arguments.data, arguments.out)
        text = "\n".join(tell(measure_all(bench, arguments.every)))
        (arguments.out / "clinical.md").write_text(text + "\n", encoding="utf-8")
        print(text)

    return finish("clinical_ct", run)


if __name__ == "__main__":
    sys.exit(main())
