"""Fit the temperature of a shipped bundle on patients that its networks never saw; tell how well probabilities hold.

python workflows/calibrate.py BUNDLE --data FOLDER [--write]

FOLDER is the cohort that the bundle comes from, with its folds.json. Each case is predicted by the network that never
saw it. `--write` keeps the temperature in the bundle: in configs/inference.json, with docs/calibration.json. Limits of
scores in its metadata.json are of other probabilities then, and are left out: make them again with
workflows/claims/trust_score.py.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from command import finish
from one_fold import copy_bundle

from medunet.bundle import open_bundle, write_calibration
from medunet.calibrating import calibrate_bundle
from medunet.calibration import Calibration, Curve
from medunet.cohort import find_cohort, read_folds
from medunet.evaluation import choose_cases


def measure(bundle: Path, data: Path) -> Calibration:
    """Fit the temperature on all held-out cases of a bundle that came without its cohort."""
    task = open_bundle(bundle).plan.task
    found = find_cohort(data, channels=task.channels, objects=task.labels.objects)
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_bundle(bundle, Path(folder) / bundle.resolve().name, read_folds(data / "folds.json", found))
        opened = open_bundle(copy)
        return calibrate_bundle(opened, choose_cases(opened, None))


def tell(record: Calibration) -> Iterator[str]:
    """Lines of the result, in Markdown."""
    yield record.describe()
    yield f"negative log-likelihood {record.likelihood_before:.4f} before, {record.likelihood_after:.4f} after"
    yield f"without each of {len(record.others)} groups: {', '.join(f'{value:g}' for value in record.others)}"
    for name, item in record.structures.items():
        pairs = {
            "voxels": (item.voxels_before, item.voxels_after),
            "lesions": (item.lesions_before, item.lesions_after),
        }
        for what, (before, after) in pairs.items():
            yield f"{name}, {before.count} {what}: ECE {_write(before)} before, {_write(after)} after"


def _write(curve: Curve) -> str:
    return "-" if curve.ece is None else f"{curve.ece:.4f}"


def run(arguments: argparse.Namespace) -> None:
    """Measure, print, and write where that is wanted."""
    record = measure(arguments.bundle, arguments.data)
    print("\n".join(tell(record)))
    if arguments.write:
        write_calibration(arguments.bundle, record)


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the cohort, with folds.json")
    parser.add_argument("--write", action="store_true", help="into the bundle")
    arguments = parser.parse_args()
    return finish("calibrate", lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
