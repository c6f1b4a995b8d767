"""Segment a CT with a bundle: a scan of yours, or a made-up head and neck.

    python workflows/demo_ct.py [OUT] --bundle BUNDLE [--scan SCAN] [--seed 0] [--again]

SCAN is a folder of DICOM or a NIfTI file. Without one a head and neck is made up and written as DICOM; its Dice is
printed beside what was drawn. Mask, measures, picture and page are written into OUT, and where they lie is printed.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from command import finish

import medunet
from medunet.errors import InputError
from medunet.evaluation import CaseScore
from medunet.files import check_free
from medunet.inference import Prediction
from medunet.labels import Mask, simplify_name
from medunet.progress import format_seconds
from medunet.testing.phantoms import HeadAndNeck, make_head_and_neck, write_head_and_neck
from medunet.testing.phantoms.head_and_neck import SCANNED

SIZE = SCANNED
FORMATS = ("nifti", "picture", "page")


def segment(out: Path, scan: Path | None, bundle: str, seed: int) -> None:
    """Predict a scan, or a made-up one, and print what was found and where it lies."""
    check_free(out)
    started = time.monotonic()
    drawn = make_head_and_neck(seed, SIZE) if scan is None else None
    given = scan or out / "scans" / f"HN-{seed:04d}"
    if drawn is not None:
        print(f"draws a head and neck and writes it as DICOM: {given}", flush=True)
        write_head_and_neck(drawn, given)
    print(f"predicts with {bundle}", flush=True)
    for made in medunet.predict(bundle, given, output=out / "masks", formats=FORMATS):
        truth = name_truth(drawn, made.mask) if drawn is not None else None
        if truth is None:
            print(tabulate(made))
        tell(made, made.files["page"] if truth is None else compare(truth, made.id, out))
    print(f"done in {format_seconds(time.monotonic() - started)}")


def compare(truth: Mask, scan: str, out: Path) -> Path:
    """Print Dice beside what was drawn; the page of scores."""
    (out / "truth").mkdir()
    truth.save(out / "truth" / f"{scan}.nii.gz")
    found = medunet.evaluate_masks(
        out / "masks", out / "truth", images=out / "scans", labels=truth.table, output=out / "evaluation"
    )
    print(f"{'structure':16} {'drawn mL':>9} {'found mL':>9} {'Dice':>6}")
    for score in found.scores.of_first():
        print(write_line(score))
    return found.report


def write_line(score: CaseScore) -> str:
    """A line of the table."""
    dice = "–" if score.dice is None else f"{score.dice:.3f}"
    return f"{score.label:16} {score.truth_ml:9.1f} {score.predicted_ml:9.1f} {dice:>6}"


def name_truth(drawn: HeadAndNeck, mask: Mask) -> Mask | None:
    """What was drawn, with the labels of a mask; None where not all of these were drawn.

    Args:
        drawn: lies on the grid of the mask.
        mask: of the bundle.
    """
    known = {simplify_name(name): value for name, value in drawn.names.items()}
    if mask.kind != "classes" or not all(simplify_name(label.name) in known for label in mask.table.labels):
        return None
    voxels = np.zeros_like(drawn.labels)
    for label in mask.table.labels:
        voxels[drawn.labels == known[simplify_name(label.name)]] = label.value
    return Mask("classes", voxels, mask.grid, mask.table)


def tabulate(made: Prediction) -> str:
    """Volumes of what was found."""
    unit = "mL" if made.unit == "mm" else "px"
    lines = [f"{'structure':16} {f'found {unit}':>9}"]
    return "\n".join([*lines, *(f"{name:16} {volume:9.1f}" for name, volume in made.volumes.items())])


def tell(made: Prediction, page: Path) -> None:
    """Where files lie, a line each, and what speaks against the mask."""
    if made.confidence is not None:
        print(f"trust: {made.confidence.trust}")
    files = {"mask": made.files["nifti"], "measures": made.files["measures"], "picture": made.files["picture"]}
    for name, path in {**files, "page": page}.items():
        print(f"{name}: {path}")


def check_apart(out: Path, scan: Path | None) -> None:
    """Refuse a scan in the folder that is removed.

    Raises:
        InputError: it lies there.
    """
    if scan is not None and scan.resolve().is_relative_to(out.resolve()):
        raise InputError(scan, f"it lies in {out}, which is written anew", "name another folder in place of that")


def run(arguments: argparse.Namespace) -> None:
    """Remove an older demonstration where that is asked for, and segment."""
    if arguments.again:
        check_apart(arguments.out, arguments.scan)
        shutil.rmtree(arguments.out, ignore_errors=True)
    segment(arguments.out, arguments.scan, arguments.bundle, arguments.seed)


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("demo-ct"))
    parser.add_argument("--scan", type=Path, help="a folder of DICOM or a NIfTI file; a made-up one if not given")
    parser.add_argument("--bundle", required=True, help="name of one that comes with medunet, or a folder")
    parser.add_argument("--seed", type=int, default=0, help="of the made-up scan")
    parser.add_argument("--again", action="store_true", help="remove an older demonstration in OUT first")
    arguments = parser.parse_args()
    return finish("demo-ct", lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
