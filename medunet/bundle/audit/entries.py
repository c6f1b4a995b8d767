"""One thing that a bundle would run, as a record; and all of them."""

from typing import Literal, get_args

from medunet.codes import Severity
from medunet.records import Record

Kind = Literal[
    "target",
    "expression",
    "import",
    "macro",
    "script",
    "logging",
    "pickle",
    "torchscript",
    "download",
    "native",
    "unreadable",
]
"""What carries it."""
MEANINGS: dict[Kind, str] = {
    "target": "a class or function that MONAI's parser imports and calls, by a `_target_` or `_requires_`",
    "expression": "Python of a configuration that MONAI's parser evaluates",
    "import": "an import of a configuration, which MONAI's parser runs at the first entry that it resolves",
    "macro": "a file whose content MONAI's parser takes over",
    "script": "a file of Python",
    "logging": "a handler, formatter or other class that a logging.conf makes",
    "pickle": "a class or function that reading a pickle imports, and can call",
    "torchscript": "code of a TorchScript archive",
    "download": "a file that is fetched from elsewhere",
    "native": "code of the machine or of an interpreter, which can't be looked into",
    "unreadable": "a file that can't be read, so that nobody knows what it runs",
}
"""Each kind in words."""


class AuditEntry(Record):
    """One thing that a bundle would run."""

    kind: Kind
    severity: Severity
    """note: data, or a part of MONAI, torch or Ignite; warning: a program of whoever wrote the bundle; error: reaches
    beyond the bundle (files, network, processes, the interpreter), hides what it does, or can't be read."""
    file: str
    """Path in the bundle."""
    place: str = ""
    """Key of a configuration, with `::` between its parts; member of an archive; name of a function."""
    line: int | None = None
    """Line of the file, from 1, where it is text."""
    offset: int | None = None
    """Byte of a pickle."""
    text: str
    """What would be run."""
    reason: str
    """Why it has this severity."""


class Audit(Record):
    """All that a bundle would run."""

    bundle: str
    """Name of its folder."""
    entries: tuple[AuditEntry, ...]
    """Errors, warnings and notes, in this order."""
    files: int
    """Files that were looked into."""

    def count(self) -> dict[Severity, int]:
        """Number of entries of each severity."""
        order: tuple[Severity, ...] = get_args(Severity)
        return {severity: sum(item.severity == severity for item in self.entries) for severity in order}
