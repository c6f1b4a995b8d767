"""Run the application natively, and end in one line where its input can't be used."""

import sys

from medunet.deploy.quiet import silence_libraries
from medunet.errors import MedunetError
from medunet.extras import load_extra


def run_application() -> int:
    """Run with the arguments of MONAI Deploy (-i, -o, -m), or else the HOLOSCAN_* variables of a container.

    Returns:
        Exit code: 0, or 2 after one line that says what is wrong with input, bundle or installation.
    """
    silence_libraries()
    try:
        load_extra("monai.deploy.core", "MONAI Deploy")
        from medunet.deploy.application import SegmentationApplication

        SegmentationApplication().run()
    except MedunetError as error:
        print(f"medunet: {error}", file=sys.stderr)  # noqa: T201 - an application has a screen of its own
        return 2
    return 0
