"""End a workflow as the command line ends: progress on the screen, and one sentence for what the user can mend."""

import sys
from collections.abc import Callable

from medunet.cli.screen import screen
from medunet.errors import MedunetError


def finish(name: str, action: Callable[[], None]) -> int:
    """Run a workflow.

    Args:
        name: of the workflow, for the message.
        action: does its work.

    Returns:
        Exit code: 0, or 2 after one line that says what is wrong with the input.
    """
    try:
        with screen():
            action()
    except MedunetError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    return 0
