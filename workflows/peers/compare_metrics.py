"""The same masks by medunet, surface-distance, MONAI and panoptica, beside what is known of made-up ones.

    make metrics-env
    .venv-metrics/bin/python workflows/peers/compare_metrics.py [--labels FOLDER] [--cases 20] [--out FILE]

Made-up masks have a distance that is known: spheres about one middle, and spheres that were moved; first medunet's
alone on turned and sheared grids, which others' functions can't describe, then all on equal and unequal spacing.
FOLDER holds label maps as NIfTI, such as `labelsTr` of a Decathlon task: each label of the first cases is compared with
itself moved by a voxel, grown and shrunk. A cell of the table of these is a mean, and how much each differs from
medunet's; its last line the seconds that each took.
"""

import argparse
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from metric_grids import tabulate_grids
from metric_peers import PEERS, Bools, Measured, Spacing
from scipy import ndimage

from medunet.reading import read_placed_map

MEASURES = ("Dice", "NSD", "HD95", "ASSD")
COUNTS = ("found", "missed", "false")
TOLERANCE_MM = 2.0
RAISED = -1.0
"""In place of a value, where a tool raised."""
SPACINGS: tuple[Spacing, ...] = ((1.0, 1.0, 1.0), (0.8, 0.8, 3.0))


@dataclass(frozen=True, slots=True, eq=False)
class MaskPair:
    """Two masks, and what is known of them.

    Attributes:
        name: what they are.
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
        spacing: in mm.
        known: values of measures that follow from the shapes.
    """

    name: str
    predicted: Bools
    truth: Bools
    spacing: Spacing
    known: Measured = field(default_factory=dict)


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, help="folder of label maps")
    parser.add_argument("--cases", type=int, default=20, help="of that folder")
    parser.add_argument("--out", type=Path, help="write the tables there too")
    arguments = parser.parse_args()
    if arguments.labels and not arguments.labels.is_dir():
        parser.error(f"{arguments.labels} is no folder")
    warnings.filterwarnings("ignore")
    lines = [*tabulate_grids(), "", *tabulate_made_up(list(make_pairs()))]
    if arguments.labels:
        lines += ["", *tabulate_real(list(change_labels(sorted(arguments.labels.glob("*.nii*"))[: arguments.cases])))]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    return 0


def make_pairs() -> Iterator[MaskPair]:
    """Masks whose distance is known."""
    for spacing in SPACINGS:
        sizes = " × ".join(f"{size:g}" for size in spacing)
        yield draw_spheres(f"spheres of 20 and 24 mm, {sizes} mm", spacing, (24, 20), (0, 0, 0), {"HD95": 4, "ASSD": 4})
        for axis in (0, 2):
            shift = [0.0, 0.0, 0.0]
            shift[axis] = 6.0
            known = {"NSD": find_shifted_share(6.0, TOLERANCE_MM), "HD95": 5.7, "ASSD": 3.0}
            yield draw_spheres(
                f"a sphere of 20 mm moved by 6 along {'IJK'[axis]}, {sizes} mm", spacing, (20, 20), shift, known
            )
    yield from make_lesions()


def find_shifted_share(shift: float, tolerance: float) -> float:
    """Share of a sphere's surface within a tolerance of the same sphere moved by a distance that is small beside it.

    At the angle a to the move the other surface lies |shift cos a| away, and cos a is spread evenly over a sphere.
    """
    return min(1.0, tolerance / shift)


def draw_spheres(
    name: str, spacing: Spacing, radii: tuple[float, float], shift: Sequence[float], known: Measured
) -> MaskPair:
    """Two spheres: the predicted one has the first radius, and is moved."""
    shape = tuple(round(72 / size) for size in spacing)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * np.array(spacing)
    middle = (np.array(shape) - 1) / 2 * np.array(spacing)
    predicted, truth = (
        np.linalg.norm(places - middle - np.array(moved), axis=-1) <= radius
        for radius, moved in zip(radii, (shift, (0, 0, 0)), strict=True)
    )
    if not any(shift):
        common, whole = min(radii) ** 3, radii[0] ** 3 + radii[1] ** 3
        known = known | {"Dice": 2 * common / whole, "NSD": float(abs(radii[0] - radii[1]) <= TOLERANCE_MM)}
    return MaskPair(name, predicted, truth, spacing, known)


def make_lesions() -> Iterator[MaskPair]:
    """Parts whose counts are agreed on by nobody, and masks without a voxel."""
    truth = np.zeros((40, 40, 20), np.bool_)
    truth[4:14, 4:14, 5:15] = truth[18:28, 4:14, 5:15] = True
    blob = truth.copy()
    blob[14:18, 4:14, 5:15] = True
    known: Measured = {"found": 2, "missed": 0, "false": 0}
    yield MaskPair("one part over two lesions", blob, truth, SPACINGS[0], known)
    pieces = truth.copy()
    pieces[8:10], pieces[22:24] = False, False
    yield MaskPair("two fragments of each of two lesions", pieces, truth, SPACINGS[0], known)
    nothing = np.zeros_like(truth)
    yield MaskPair("nothing predicted", nothing, truth, SPACINGS[0], {"Dice": 0, "NSD": 0, "found": 0, "missed": 2})
    yield MaskPair("nothing there", truth, nothing, SPACINGS[0], {"false": 2})
    yield MaskPair("nothing on either side", nothing, nothing, SPACINGS[0])


def change_labels(paths: Sequence[Path]) -> Iterator[MaskPair]:
    """Each label of label maps against itself, changed."""
    for path in paths:
        voxels, grid = read_placed_map(path)
        values = np.rint(voxels.astype(np.float64))
        for value in np.unique(values[values > 0]):
            truth = np.pad(values == value, 4)
            changed = {
                "moved by a voxel along I": np.roll(truth, 1, axis=0),
                "grown by a voxel": ndimage.binary_dilation(truth),
                "shrunk by a voxel": ndimage.binary_erosion(truth),
            }
            for name, mask in changed.items():
                if mask.any():
                    yield MaskPair(name, mask, truth, grid.spacing)


def measure(pair: MaskPair, tool: str) -> tuple[Measured, float]:
    """What a tool says, or that it raised, and how many seconds it took."""
    started = time.perf_counter()
    try:
        found = PEERS[tool](pair.predicted, pair.truth, pair.spacing, TOLERANCE_MM)
    # Whatever another program raises is its answer.
    except Exception:
        found = dict.fromkeys(MEASURES, RAISED)
    return found, time.perf_counter() - started


def tabulate_made_up(pairs: Sequence[MaskPair]) -> list[str]:
    """A line for each pair and measure that is known or that tools answer differently."""
    lines = ["| masks | measure | known | " + " | ".join(PEERS) + " |", "|---" * (3 + len(PEERS)) + "|"]
    for pair in pairs:
        found = {tool: measure(pair, tool)[0] for tool in PEERS}
        for name in (*MEASURES, *COUNTS):
            if name in COUNTS and not pair.known.keys() & set(COUNTS):
                continue
            cells = [_write(found[tool].get(name)) for tool in PEERS]
            lines.append(f"| {pair.name} | {name} | {_write(pair.known.get(name))} | {' | '.join(cells)} |")
    return lines


def tabulate_real(pairs: Sequence[MaskPair]) -> list[str]:
    """A line for each change and measure: means, and the largest difference from medunet's of one pair."""
    lines = ["| change | pairs | measure | " + " | ".join(PEERS) + " |", "|---" * (3 + len(PEERS)) + "|"]
    took = dict.fromkeys(PEERS, 0.0)
    for change in dict.fromkeys(pair.name for pair in pairs):
        own = [pair for pair in pairs if pair.name == change]
        found: dict[str, list[Measured]] = {tool: [] for tool in PEERS}
        for pair in own:
            for tool in PEERS:
                answer, seconds = measure(pair, tool)
                found[tool].append(answer)
                took[tool] += seconds
        for name in MEASURES:
            ours = np.array([answer[name] for answer in found["medunet"]])
            cells = []
            for tool in PEERS:
                theirs = np.array([answer.get(name, math.nan) for answer in found[tool]])
                most = "" if tool == "medunet" else f" ({np.abs(theirs - ours).max():.3f})"
                cells.append(f"{theirs.mean():.3f}{most}")
            lines.append(f"| {change} | {len(own)} | {name} | {' | '.join(cells)} |")
    times = " | ".join(f"{took[tool]:.1f}" for tool in PEERS)
    return [*lines, f"| all | {len(pairs)} | seconds | {times} |"]


def _write(value: float | None) -> str:
    if value is None:
        return "–"
    if value == RAISED:
        return "raises"
    return "NaN" if math.isnan(value) else "inf" if math.isinf(value) else f"{value:.3f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    raise SystemExit(main())
