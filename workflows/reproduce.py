"""Score a shipped bundle again on patients that it was never trained on, and print the table of its card.

python workflows/reproduce.py BUNDLE --data FOLDER

FOLDER is the cohort that it comes from (docs/README.md of the bundle names it) with its folds.json. Of a bundle that
holds the networks of all folds every patient is scored, by the network that never saw it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from command import finish
from one_fold import copy_bundle, tabulate_cases

from medunet.api import Evaluation, evaluate
from medunet.bundle import open_bundle
from medunet.cohort import Cohort, find_cohort, read_folds


def reproduce(bundle: Path, data: Path, output: Path) -> None:
    """Predict and score the held-out patients."""
    task = open_bundle(bundle).plan.task
    found = find_cohort(data, channels=task.channels, objects=task.labels.objects)
    result = score_again(bundle, read_folds(data / "folds.json", found), output)
    print(tabulate_cases(result.scores))
    print(result.table)
    print(f"report: {result.report}")


def score_again(bundle: Path, cohort: Cohort, output: Path) -> Evaluation:
    """Evaluate a bundle that came without the cohort of its training.

    Args:
        bundle: a trained one, which stays as it is.
        cohort: that of its training, with its folds.
        output: folder for scores, pictures and page.
    """
    with tempfile.TemporaryDirectory() as folder:
        return evaluate(copy_bundle(bundle, Path(folder) / bundle.resolve().name, cohort), output=output)


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
