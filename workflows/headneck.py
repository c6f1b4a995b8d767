"""Organs of the head and neck in CT, of which each patient has some contoured: one fold.

python workflows/headneck.py --data FOLDER [--fold 0] [--budget 60m]

FOLDER holds images/*.nii.gz, labels/*.nii.gz of the same names, contoured.json (which structures were drawn in each
case, and which value each has in label maps) and folds.json. Public source: OpenKBP (Babier et al., Medical Physics
2021, 48:5549), converted from its tables. What wasn't drawn in a case is unknown there: neither learnt as background
nor scored.
"""

import sys

from command import finish
from one_fold import make_parser, run_fold


def main() -> int:
    """Parse the command line."""
    parser = make_parser(str(__doc__), "images/, labels/, contoured.json and folds.json", "headneck-run")
    parser.set_defaults(budget=60.0)
    arguments = parser.parse_args()
    return finish("headneck", lambda: run_fold(arguments, ["ct"]))


if __name__ == "__main__":
    sys.exit(main())
