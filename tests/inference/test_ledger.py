import threading
from dataclasses import dataclass

import pytest

from medunet.inference import ledger
from medunet.inference.ledger import Ledger, Stopped

SECONDS = 20.0


@dataclass
class Way:
    peak: int


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that are held, as the machine says."""
    found = [100]
    monkeypatch.setattr(ledger, "measure_memory", lambda: found[0])
    return found


def test_jobs_are_counted_beside_each_other_from_what_was_held_before(held: list[int]) -> None:
    book, asked = Ledger(), []

    def choose(base: int, others: int) -> Way:
        asked.append((base, others))
        return Way(base + others + 30)

    with book.join(choose) as first:
        held[0] = 125  # what the first has taken until now is no part of what was held before
        with book.join(choose) as second:
            pass
        with book.join(choose) as third:
            pass
    held[0] = 110
    with book.join(choose) as fourth:
        pass
    assert asked == [(100, 0), (100, 30), (100, 30), (110, 0)]
    assert [way.peak for way in (first, second, third, fourth)] == [130, 160, 160, 140]


def test_a_job_waits_until_there_is_a_way() -> None:
    book, inside, order = Ledger(), threading.Event(), []

    def run() -> None:
        with book.join(lambda base, others: Way(base + 50) if others == 0 else None):
            order.append("second")

    other = threading.Thread(target=run)
    with book.join(lambda base, _: Way(base + 1)):
        other.start()
        inside.wait(0.5)
        order.append("first")
    other.join(SECONDS)
    assert order == ["first", "second"]
    assert book.waited > 0.3


def test_nothing_begins_beside_a_job_of_which_nothing_is_known() -> None:
    stopped = threading.Event()
    book = Ledger(stopped)
    with book.join(lambda *_: Way(0)):
        threading.Timer(0.3, stopped.set).start()
        with pytest.raises(Stopped), book.join(lambda base, others: Way(base + others + 1)):
            raise AssertionError("it began")


def test_an_error_leaves_nothing_behind() -> None:
    book = Ledger()

    def fail(base: int, others: int) -> Way:
        raise ZeroDivisionError(base, others)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match=r"100, 0"), book.join(fail):
            pass
    with pytest.raises(ValueError, match="inside"), book.join(lambda base, _: Way(base)):
        raise ValueError("inside")
    with book.join(lambda base, others: Way(base + others)) as way:
        assert way.peak == 100
