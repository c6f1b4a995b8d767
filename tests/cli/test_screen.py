import logging
import time

import pytest

from medunet.cli.screen import BarSink, screen
from medunet.progress import report


def test_a_bar_rewrites_its_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 10.0, 11.0, 11.0, 14.0, 14.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    sink = BarSink()
    for done in range(3):
        sink.update("work", done, 2, "note")
    shown = capsys.readouterr().err
    assert "\r" in shown
    assert "work: 1/2, 1 s left, note" in shown
    assert shown.endswith("work: 2 in 4 s, note\n")


def test_log_lines_show_and_those_of_libraries_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    with screen():
        logging.getLogger("medunet.x").warning("careful")
        logging.getLogger("ignite.engine").warning("noise")
        report("work", 0, 2)
    shown = capsys.readouterr().err
    assert "warning: careful" in shown
    assert "noise" not in shown
