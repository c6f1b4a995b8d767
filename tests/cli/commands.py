"""Run a command in this process."""

import pytest

from medunet.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Exit code of `medunet ARGUMENTS`."""
    monkeypatch.setattr("sys.argv", ["medunet", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)
