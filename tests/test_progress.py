import logging

import pytest

from medunet import progress


class Collect:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int, str]] = []

    def update(self, what: str, done: int, total: int, note: str) -> None:
        self.seen.append((what, done, total, note))


def test_track_reports_to_whoever_shows() -> None:
    sink = Collect()
    with progress.showing(sink):
        assert list(progress.track("ab", "letters", 2)) == ["a", "b"]
        progress.report("steps", 3, 9, "loss 1")
    assert sink.seen == [("letters", 0, 2, ""), ("letters", 1, 2, ""), ("letters", 2, 2, ""), ("steps", 3, 9, "loss 1")]


def test_without_a_sink_lines_go_to_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 3.0, 6.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    sink = progress.LogSink()
    with caplog.at_level(logging.INFO):
        for done in range(4):
            sink.update("work", done, 3, "")
    assert caplog.messages == ["work: 2/3, 3 s left", "work: 3 in 20 s"]


def test_resumed_work_is_timed_from_where_it_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 10.0, 20.0, 50.0, 56.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    sink = progress.LogSink()
    with caplog.at_level(logging.INFO):
        for done, total in ((90, 100), (95, 100), (100, 100), (50, 100), (51, 100)):
            sink.update("work", done, total, "")
    assert caplog.messages == [
        "work: 95/100, 10 s left",
        "work: 100, the last 10 in 20 s",
        "work: 51/100, 4:54 min left",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(7, "7 s"), (245, "4:05 min"), (9000, "2:30 h"), (float("nan"), "?")])
def test_seconds_for_people(seconds: float, text: str) -> None:
    assert progress.format_seconds(seconds) == text
