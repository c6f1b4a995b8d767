"""Soft-tissue sarcomas in PET/CT: one fold from DICOM and RTSTRUCT to a table of scores.

python workflows/sts.py --data FOLDER [--channels ct,pet] [--fold 0] [--budget 40m]

FOLDER/STS_*/{CT,PET}/*.dcm with contours.dcm, and FOLDER/folds.json. The scans are those of Vallières et al. 2015
(The Cancer Imaging Archive, doi 10.7937/K9/TCIA.2015.7GO2GSKS), here cut to a box around the tumor.
"""

import sys

from command import finish
from one_fold import make_parser, run_fold


def main() -> int:
    """Parse the command line."""
    parser = make_parser(str(__doc__), "folder of patients with folds.json", "sts-run")
    parser.add_argument("--channels", default="ct,pet", help="ct,pet or ct")
    arguments = parser.parse_args()
    return finish("sts", lambda: run_fold(arguments, arguments.channels.split(",")))


if __name__ == "__main__":
    sys.exit(main())
