"""Count how often the headers of DICOM files are parsed and files are hashed, in child processes too."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHILD = "import sys; sys.path.insert(0, {tests!r}); import counting; counting.install({log!r}, setattr)\n"
"""`sitecustomize.py`, which every Python that has its folder on the path runs first."""


def install(log: str, put: Callable[[Any, str, Any], None]) -> None:
    """Let every parse of a header, by us or by pydicom, and every hash of a file leave a line in `log`."""
    import pydicom.filereader

    from medunet.cohort import identity
    from medunet.reading.dicom import elements

    def count(module: Any, name: str, kind: str, find_path: Callable[..., object]) -> None:
        function = getattr(module, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            # Called again with more of the file, a parse that hadn't enough of it counts as one.
            result = function(*args, **kwargs)
            with open(log, "a", encoding="utf-8") as stream:
                stream.write(f"{kind} {os.path.abspath(str(find_path(*args)))}\n")
            return result

        put(module, name, counted)

    count(elements, "_parse", "parse", lambda _data, _size, path: path)
    count(pydicom.filereader, "read_partial", "dcmread", lambda stream, *_: getattr(stream, "name", "memory"))
    count(identity, "hash_file", "hash", lambda path: path)


class Counts:
    """Counts work from now on.

    Args:
        folder: an empty one for the log.
        monkeypatch: undoes it.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._log = folder / "log"
        self._log.touch()
        child = CHILD.format(tests=str(Path(__file__).parent), log=str(self._log))
        (folder / "sitecustomize.py").write_text(child, encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        install(str(self._log), monkeypatch.setattr)

    def take(self, kind: str, folder: Path) -> Counter[str]:
        """How often each file below a folder was worked on since the last `clear`."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        found = (line.partition(" ")[::2] for line in lines)
        return Counter(path for own, path in found if own == kind and Path(path).is_relative_to(folder))

    def clear(self) -> None:
        """Begin to count anew."""
        self._log.write_text("", encoding="utf-8")
