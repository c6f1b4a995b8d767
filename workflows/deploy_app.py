"""A bundle as a MONAI Deploy application: a folder of DICOM in, DICOM SEG out.

python workflows/deploy_app.py -i DICOM -o OUT -m BUNDLE
"""

import sys

from medunet.deploy import run_application

if __name__ == "__main__":
    sys.exit(run_application())
