"""What a logging.conf makes: classes and arguments that Python's `logging.config` evaluates."""

import ast
import configparser
from collections.abc import Iterator
from pathlib import Path

from medunet.bundle.audit.configs import Verdict
from medunet.bundle.audit.entries import AuditEntry

SCREEN = ("StreamHandler", "NullHandler")
FILES = ("FileHandler", "RotatingFileHandler", "TimedRotatingFileHandler", "WatchedFileHandler")
NETWORK = ("SocketHandler", "DatagramHandler", "SysLogHandler", "SMTPHandler", "HTTPHandler", "NTEventLogHandler")
STREAMS = ("sys.stdout", "sys.stderr")
EVALUATED = ("args", "kwargs")


def audit_logging(path: Path, name: str) -> Iterator[AuditEntry]:
    """Each class that a logging.conf makes, and each argument that is more than data.

    Args:
        path: of the file.
        name: of it, in the bundle.
    """
    parser = configparser.RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8")
        parser.read_string(text)
    except (configparser.Error, UnicodeDecodeError) as error:
        said = f"it is no logging.conf that Python reads ({type(error).__name__})"
        yield AuditEntry(kind="unreadable", severity="error", file=name, text=path.name, reason=said)
        return
    lines = text.splitlines()
    for section in parser.sections():
        values = dict(parser[section])
        kind = values.get("class", "")
        if not (section.startswith("handler_") or kind):
            continue
        verdict = _judge(kind, [values[key] for key in EVALUATED if key in values])
        line = next((n for n, item in enumerate(lines, start=1) if item.strip() == f"[{section}]"), None)
        shown = f"{kind or 'a handler'}{values.get('args', '()')}"
        yield AuditEntry(
            kind="logging",
            severity=verdict.severity,
            file=name,
            place=section,
            line=line,
            text=shown,
            reason=verdict.reason,
        )


def _judge(kind: str, arguments: list[str]) -> Verdict:
    last = kind.rpartition(".")[2]
    if not all(map(_is_data, arguments)):
        return Verdict("error", "its arguments are Python that is more than data")
    if kind in (last, f"logging.{last}", f"handlers.{last}", f"logging.handlers.{last}"):
        if last in SCREEN:
            return Verdict("note", "it writes to the screen, or nowhere")
        if last in FILES:
            return Verdict("warning", "it writes into a file of any path")
        if last in NETWORK:
            return Verdict("error", "it sends what is logged to another machine")
        if last == "Formatter":
            return Verdict("note", "it is Python's own")
    return Verdict("error", "it is none of Python's handlers, so that its module is imported and called")


def _is_data(text: str) -> bool:
    """Whether an argument is a literal, or one of the screen's streams."""
    for stream in STREAMS:
        text = text.replace(stream, "None")
    try:
        ast.literal_eval(text.strip() or "()")
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return False
    return True
