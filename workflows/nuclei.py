"""Nuclei in microscopy: one fold of the 2018 Data Science Bowl, a 2D network on PNG, grey and colour.

python workflows/nuclei.py --data FOLDER [--fold 0] [--budget 15m]

FOLDER holds images/*.png, labels/*.png of the same names (16 bit, one number a nucleus) and folds.json, which lists
the names that each fold holds out. Public source: BBBC038 of the Broad Bioimage Benchmark Collection (CC0), labels
as corrected by K. Lopuhin; folds of your own will do as well.
"""

import sys

from one_fold import make_parser, run_fold

from medunet.cli.screen import screen
from medunet.errors import MedunetError


def main() -> int:
    """Parse the command line."""
    parser = make_parser(str(__doc__), "images/, labels/ and folds.json", "nuclei-run")
    parser.set_defaults(budget="15m")
    arguments = parser.parse_args()
    try:
        with screen():
            run_fold(arguments, objects=True)
    except MedunetError as error:
        print(f"nuclei: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
