"""Nuclei in microscopy: one fold of the 2018 Data Science Bowl, a 2D network on PNG, grey and colour.

python workflows/nuclei.py --data FOLDER [--fold 0] [--budget 15m]

FOLDER holds images/*.png, labels/*.png of the same names (16 bit, one number a nucleus) and folds.json, which lists
the names that each fold holds out. Public source: BBBC038 of the Broad Bioimage Benchmark Collection (CC0), labels
as corrected by K. Lopuhin; folds of your own will do as well. Printed of each held-out picture are the average
precision of its nuclei at IoU 0.50 to 0.95, Dice and NSD, beside the connected parts of the same foreground
("components") and the floors.
"""

import sys

from command import finish
from one_fold import make_parser, run_fold


def main() -> int:
    """Parse the command line."""
    parser = make_parser(str(__doc__), "images/, labels/ and folds.json", "nuclei-run")
    parser.set_defaults(budget="15m")
    arguments = parser.parse_args()
    return finish("nuclei", lambda: run_fold(arguments, objects=True))


if __name__ == "__main__":
    sys.exit(main())
