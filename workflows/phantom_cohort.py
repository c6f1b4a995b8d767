"""Write made-up CT patients with lesions as DICOM series with contours, each in a folder named after its id.

    python workflows/phantom_cohort.py OUT [--patients 12] [--seed 0] [--shape 512,512,300] [--spacing 0.8,0.8,1.25]

They are those of `medunet.testing.phantoms`: equal options write equal bytes, and nothing stems from a person.
"""

import argparse
import sys
import time
from pathlib import Path

from command import finish

from medunet.testing.phantoms import PhantomSize, draw_cohort, write_patient


def write(arguments: argparse.Namespace) -> None:
    """Write the patients, with a line for each."""
    i, j, k = (int(word) for word in arguments.shape.split(","))
    x, y, z = (float(word) for word in arguments.spacing.split(","))
    started = time.monotonic()
    for phantom in draw_cohort(arguments.patients, PhantomSize((i, j, k), (x, y, z)), arguments.seed):
        write_patient(phantom, arguments.out / phantom.patient_id)
        seconds, started = time.monotonic() - started, time.monotonic()
        grid = phantom.grid
        shape = " × ".join(map(str, grid.shape)) + " voxels of " + " × ".join(f"{mm:g}" for mm in grid.spacing)
        kind = ", oblique" if phantom.oblique else ""
        print(f"{phantom.patient_id}: {shape} mm, {phantom.lesions} lesions{kind}, {seconds:.1f} s")


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the patients' folders")
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shape", default="112,88,44", help="voxels along I,J,K")
    parser.add_argument("--spacing", default="3.2,3.2,5.0", help="mm along I,J,K")
    arguments = parser.parse_args()
    return finish("phantom_cohort", lambda: write(arguments))


if __name__ == "__main__":
    sys.exit(main())
