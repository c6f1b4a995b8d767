"""What is wrong or odd, as records with a code; and who hears of it.

Readers refuse by errors, which are raised, and warn by `warn`, which hands a *finding* to whoever listens in the same
context, or else logs it. So what is told in one thread never reaches somebody who listens in another one.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from medunet.codes import CODES, Code, Severity
from medunet.errors import MedunetError
from medunet.records import Record

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Note:
    """What was repaired or is odd about something that was read; its text alone where it is made a `str`.

    Attributes:
        code: of `CODES`.
        text: in words.
    """

    code: Code
    text: str

    def __str__(self) -> str:
        return self.text


class Finding(Record):
    """One thing that is wrong or odd."""

    code: Code
    severity: Severity
    """error: refused when it is read or trained on; warning: taken as it is, and probably not meant; note: odd."""
    subject: str
    """File, series, case or cohort."""
    found: str
    remedy: str = ""
    """What to do; nothing where nothing has to be done."""
    option: str = ""
    """Option of the command line that repairs it; empty where there is none."""


def make_finding(
    code: Code, subject: object, found: str, remedy: str = "", severity: Severity | None = None
) -> Finding:
    """Make a finding; its option is that of the table where the remedy names it.

    Args:
        code: of `CODES`.
        subject: file, series, case or cohort.
        found: what is wrong or odd.
        remedy: what to do.
        severity: the usual one of the code if not given.
    """
    entry = CODES[code]
    return Finding(
        code=code,
        severity=severity or entry.severity,
        subject=str(subject),
        found=found,
        remedy=remedy,
        option=entry.option if entry.option and entry.option in remedy else "",
    )


def describe_error(error: MedunetError) -> Finding:
    """A refusal as a finding."""
    expected = f" (expected {error.expected})" if error.expected else ""
    return make_finding(error.code, error.subject, error.found + expected, error.remedy, "error")


def describe_note(note: Note, subject: object) -> Finding:
    """A note about a subject as a finding."""
    return add_remedy(make_finding(note.code, subject, note.text, severity="note"))


def add_remedy(finding: Finding) -> Finding:
    """The same with the remedy of the table, where a warning says none itself, or a note of what usually is one."""
    entry = CODES[finding.code]
    fits = finding.severity in ("warning", entry.severity)
    if finding.remedy or not entry.remedy or not fits:
        return finding
    return make_finding(finding.code, finding.subject, finding.found, entry.remedy, finding.severity)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, warnings and notes, in this order, each once."""
    order = ("error", "warning", "note")
    return sorted(dict.fromkeys(findings), key=lambda item: order.index(item.severity))


Listener = Callable[[Finding], None]
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


def warn(code: Code, subject: object, found: str, remedy: str = "") -> None:
    """Tell of something that is taken as it is and probably not meant.

    Args:
        code: of `CODES`.
        subject: file, series or case.
        found: what is odd.
        remedy: what to do.
    """
    tell(make_finding(code, subject, found, remedy, "warning"))


def remark(code: Code, subject: object, found: str) -> None:
    """Tell of something odd that is taken as it is, and right; arguments as of `warn`."""
    tell(make_finding(code, subject, found, severity="note"))


def tell(finding: Finding) -> None:
    """Hand a warning or a note to whoever listens in this context, or log it."""
    listener = _LISTENER.get()
    if listener is None:
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        level = logging.INFO if finding.severity == "note" else logging.WARNING
        LOGGER.log(level, "%s: %s%s", finding.subject, finding.found, remedy)
    else:
        listener(finding)


@contextmanager
def handing_to(listener: Listener | None) -> Iterator[None]:
    """Hand the warnings of this context to a listener while the block runs; without one they are logged."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


@contextmanager
def overhearing() -> Iterator[list[Finding]]:
    """Gather the warnings of this context while the block runs, each of which is handed on as well."""
    heard: list[Finding] = []
    before = _LISTENER.get()

    def hear(finding: Finding) -> None:
        heard.append(finding)
        with handing_to(before):
            tell(finding)

    with handing_to(hear):
        yield heard


@contextmanager
def listening() -> Iterator[list[Finding]]:
    """Gather the warnings of this context while the block runs, instead of logging them."""
    heard: list[Finding] = []
    with handing_to(heard.append):
        yield heard
