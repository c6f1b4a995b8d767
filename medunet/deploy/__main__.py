"""`python -m medunet.deploy`: a bundle as a MONAI Deploy application."""

import sys

from medunet.deploy import run_application

if __name__ == "__main__":
    sys.exit(run_application())
