import logging
import sys
import time
import warnings
from contextvars import copy_context

import pytest

from medunet.cli.screen import BarSink, choose_voice, screen
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


def speak_all() -> None:
    with screen():
        for name in ("medunet.x", "ignite.engine", "other"):
            for level in ("debug", "info", "warning"):
                getattr(logging.getLogger(name), level)("%s of %s", level, name)
        report("work", 0, 2)


def test_a_quiet_command_shows_warnings_and_a_verbose_one_what_libraries_say(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = {}
    for voice in ("quiet", "normal", "verbose"):
        context = copy_context()
        context.run(choose_voice, quiet=voice == "quiet", verbose=voice == "verbose")
        context.run(speak_all)
        shown[voice] = capsys.readouterr().err.replace("\r\x1b[K", "").splitlines()
    assert shown["quiet"] == ["warning: warning of medunet.x"]
    assert shown["normal"][:2] == ["info of medunet.x", "warning: warning of medunet.x"]
    assert shown["normal"][2].startswith("work: 0/2")
    assert len(shown["normal"]) == 3
    for line in ("medunet.x: debug of medunet.x", "ignite.engine: info of", "other: warning: warning of other"):
        assert line in "\n".join(shown["verbose"])
    assert "debug of other" not in "\n".join(shown["verbose"])


def test_logging_is_afterwards_as_it_was() -> None:
    names = ("", "medunet", "ignite", "monai", "torch")

    def look() -> list[object]:
        return [(*logging.getLogger(name).handlers, vars(logging.getLogger(name))["level"]) for name in names]

    before, filters = look(), [*warnings.filters]
    with screen():
        assert look() != before
    assert (look(), logging.getLogger("medunet").propagate, [*warnings.filters]) == (before, True, filters)


def test_ctrl_c_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), screen():
        raise KeyboardInterrupt
    assert "stopped; nothing that was written is lost, and the same command goes on" in capsys.readouterr().err
