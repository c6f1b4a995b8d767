"""Score a shipped bundle again on the patients that it was never trained on, and print the table of its card.

python workflows/reproduce.py BUNDLE --data FOLDER

FOLDER is the cohort that it comes from (docs/README.md of the bundle names it) with its folds.json.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from command import finish
from one_fold import tabulate_cases

import medunet
from medunet.bundle import open_bundle
from medunet.cohort import find_cohort, read_folds, write_cohort


def reproduce(bundle: Path, data: Path, output: Path) -> None:
    """Predict and score the held-out patients."""
    opened = open_bundle(bundle)
    cohort = read_folds(data / "folds.json", find_cohort(data, channels=opened.plan.channels))
    held_out = (cohort.folds or ())[opened.metadata["training"]["fold"]]
    cases = tuple(case for case in cohort.cases if case.patient in held_out)
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "cohort.json"
        write_cohort(listed, cohort.model_copy(update={"cases": cases, "folds": None}))
        result = medunet.evaluate(bundle, cohort=listed, output=output)
    print(tabulate_cases(result.scores))
    print(f"report: {result.report}")


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the cohort, with folds.json")
    parser.add_argument("--out", type=Path, default=Path("reproduced"), help="folder for scores, pictures and page")
    arguments = parser.parse_args()
    return finish("reproduce", lambda: reproduce(arguments.bundle, arguments.data, arguments.out))


if __name__ == "__main__":
    sys.exit(main())
