"""Remember what folders hold, so that the cases of one folder don't each find all of it again."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from medunet.reading.dicom.series import Contents, find_series, list_files

MOST_FILES = 50_000
"""Files that all remembered folders may have together; a file takes about 2 KB."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found in a folder.

    Attributes:
        files: all that lay there.
        findings: what they hold.
    """

    files: list[Path]
    findings: Contents


_KNOWN: OrderedDict[Path, _Known] = OrderedDict()


def find_known(folder: Path, uid: str | None = None) -> Contents:
    """What `find_series` says of a folder, from memory where this process has asked before and nothing has changed.

    Args:
        folder: whose files are listed each time.
        uid: SeriesInstanceUID of the only series whose files have to be unchanged; all have if it isn't given.

    Raises:
        MissingInputError: as `find_series`.
    """
    known = _KNOWN.pop(folder, None)
    if known is None or not _is_valid(known, folder, uid):
        known = _Known(list_files(folder), find_series(folder))
    _KNOWN[folder] = known
    while len(_KNOWN) > 1 and sum(len(item.files) for item in _KNOWN.values()) > MOST_FILES:
        _KNOWN.popitem(last=False)
    return known.findings


def _is_valid(known: _Known, folder: Path, uid: str | None) -> bool:
    series = [item for item in known.findings.series if uid in (None, item.uid)]
    return bool(series) and known.files == list_files(folder) and all(item.is_unchanged() for item in series)
