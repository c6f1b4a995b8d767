"""Hippocampus in MR: one fold of the Medical Segmentation Decathlon's Task04, a folder with dataset.json.

python workflows/hippocampus.py --data FOLDER [--fold 0] [--budget 40m]

FOLDER/{imagesTr,labelsTr}/*.nii.gz, FOLDER/dataset.json and FOLDER/folds.json (the cases held out in each fold).
On fold 0 MONAI's DynUNet has a published Dice of 0.9007 (anterior) and 0.8835 (posterior).
"""

import sys

from command import finish
from one_fold import make_parser, run_fold


def main() -> int:
    """Parse the command line."""
    arguments = make_parser(str(__doc__), "Decathlon folder with folds.json", "hippocampus-run").parse_args()
    return finish("hippocampus", lambda: run_fold(arguments))


if __name__ == "__main__":
    sys.exit(main())
