"""Handlers of a logging.conf are listed; what sends or evaluates is an error."""

from pathlib import Path

import pytest

from medunet.bundle.audit.logs import audit_logging


@pytest.mark.parametrize(
    ("kind", "arguments", "severity"),
    [
        ("StreamHandler", "(sys.stdout,)", "note"),
        ("FileHandler", "('run.log', 'w')", "warning"),
        ("handlers.RotatingFileHandler", "('a.log',)", "warning"),
        ("handlers.SMTPHandler", "('h', 'a', ['b'], 'c')", "error"),
        ("StreamHandler", "(__import__('os').system('x'),)", "error"),
        ("scripts.log.Handler", "()", "error"),
    ],
)
def test_handlers(tmp_path: Path, kind: str, arguments: str, severity: str) -> None:
    path = tmp_path / "logging.conf"
    path.write_text(f"[loggers]\nkeys=root\n\n[handler_h]\nclass={kind}\nargs={arguments}\n")
    (found,) = audit_logging(path, "configs/logging.conf")
    assert (found.severity, found.place, found.line) == (severity, "handler_h", 4)


def test_what_python_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("no sections")
    (found,) = audit_logging(tmp_path / "a.conf", "a.conf")
    assert found.kind == "unreadable"
