import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pytest

import medunet
from medunet.api.arguments import Above, Count, Minutes, verb
from medunet.errors import InputError, MissingInputError


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: medunet.train("b", fold="x"), "medunet.train: fold is 'x', a str; give a whole number from 0 on."),
        (lambda: medunet.train("b", fold=True), "medunet.train: fold is True, a bool; give a whole number"),
        (lambda: medunet.train("b", fold=1.5), "fold is 1.5, a float; give a whole number from 0 on"),
        (lambda: medunet.train("b", fold=-1), "medunet.train: fold is -1, an int; give a whole number from 0 on."),
        (lambda: medunet.train("b", patience=-3), "patience is -3, an int; give a whole number from 0 on"),
        (lambda: medunet.train_folds("b", restart="no"), "restart is 'no', a str; give True or False"),
        (lambda: medunet.train(None), "medunet.train: bundle is None; give a path."),
        (lambda: medunet.train(""), "bundle is '', a str; give a path"),
        (lambda: medunet.train("b\0c"), "a str; give a path"),
        (lambda: medunet.train(b"b"), "bundle is b'b', a bytes; give a path"),
        (
            lambda: medunet.train("b", budget_minutes="1h"),
            "budget_minutes is '1h', a str; give a number above 0 or None",
        ),
        (lambda: medunet.train("b", budget_minutes=0), "budget_minutes is 0, an int; give a number above 0 or None."),
        (
            lambda: medunet.train("b", budget_minutes=float("nan")),
            "budget_minutes is nan, a float; give a number above",
        ),
        (lambda: medunet.init("c", "b", budget_minutes=float("inf")), "budget_minutes is inf"),
        (lambda: medunet.init("c", "b", channels="ct"), "channels is 'ct', a str; give a list of text or None."),
        (lambda: medunet.init("c", "b", channels=["ct", 3]), "channels is ['ct', 3], a list; give a list of text or"),
        (lambda: medunet.plan("c", dims=4), "dims is 4, an int; give 2 or 3 or None"),
        (lambda: medunet.plan("c", memory=8), "memory is 8, an int; give a Memory or None"),
        (lambda: medunet.check(["a"]), "path is ['a'], a list; give a path"),
        (lambda: medunet.read_volume(3), "medunet.read_volume: path is 3, an int; give a path."),
        (lambda: medunet.read_volume("x", pet="raw"), "pet is 'raw', a str; give 'suv' or 'stored'."),
        (lambda: medunet.read_volume("x", assume_rescale=(1, "a")), "give a tuple of a number and a number or None"),
        (
            lambda: medunet.predict("b", 5),
            "medunet.predict: scans is 5, an int; give a path or a dict of text and a path.",
        ),
        (lambda: medunet.predict("b", formats="seg"), "formats is 'seg', a str; give a list of text."),
        (
            lambda: medunet.predict("b", {"ct": 3}),
            "scans is {'ct': 3}, a dict; give a path or a dict of text and a path.",
        ),
        (lambda: medunet.predict("b", options={"ct": {}}), "give a dict of text and a ReadOptions or None."),
        (
            lambda: medunet.predict("b", thresholds={"a": "x"}),
            "thresholds is {'a': 'x'}, a dict; give a dict of text and",
        ),
        (lambda: medunet.predict("b", keep_largest="a"), "keep_largest is 'a', a str; give a list of text."),
        (lambda: medunet.predict_each("b", smallest=None), "smallest is None; give a number or text."),
        (lambda: medunet.evaluate("b", cohort=1), "cohort is 1, an int; give a path or None."),
        (lambda: medunet.export_cohort("c", "o", None), "layout is None; give text."),
        (lambda: medunet.check("x" * 99 + "\0"), f"path is '{'x' * 59}…, a str; give a path"),
    ],
)
def test_a_wrong_argument_is_one_sentence(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert words in str(caught.value)


def test_what_numpy_counts_is_a_number_and_lists_are_tuples(tmp_path: Path) -> None:
    taken: list[Any] = []

    @verb
    def keep(
        fold: Count = 0, minutes: Minutes | None = None, pair: tuple[float, float] | None = None, yes: bool = False
    ) -> None:
        taken.extend([fold, minutes, pair, yes])

    keep(np.int64(2), np.float32(0.5), [1, np.pi], np.bool_(True))  # type: ignore[arg-type]
    assert taken == [2, 0.5, (1, np.pi), True]
    assert [type(item) for item in taken] == [int, float, tuple, bool]
    with pytest.raises(InputError, match="fold is -1, an int"):
        keep(np.int64(-1))
    with pytest.raises(InputError, match="minutes is nan"):
        keep(minutes=np.float64("nan"))


def test_paths_of_all_kinds_pass_and_names_are_checked_by_python() -> None:
    for path in ("nowhere", Path("nowhere"), np.str_("nowhere")):
        with pytest.raises(MissingInputError):
            medunet.read_volume(path)
    with pytest.raises(TypeError, match="unexpected keyword argument 'fould'"):
        medunet.train("b", fould=1)  # type: ignore[call-arg]
    assert Above(0).describe() == "above 0"


def test_a_verb_looks_like_its_function() -> None:
    assert medunet.train.__name__ == "train"
    assert "resumed" in str(medunet.train.__doc__) or "interrupted" in str(medunet.train.__doc__)


SPEAKS = """
import logging, sys
from medunet import progress
from medunet.api.arguments import verb
{before}

@verb
def work():
    logging.getLogger("medunet.x").info("told")
    logging.getLogger("medunet.x").warning("careful")
    logging.getLogger("monai").warning("noise")

work()
{after}
logging.getLogger("medunet.x").info("later")
"""


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("", "", "told\nwarning: careful\nnoise\n"),
        ("logging.basicConfig(format='root %(message)s')", "", "root careful\nroot noise\n"),
        ("logging.getLogger('medunet').setLevel('ERROR')", "", "noise\n"),
        ("logging.getLogger('medunet').addHandler(logging.NullHandler())", "", "noise\n"),
        (
            "",
            "logging.basicConfig(level='INFO', format='root %(message)s')",
            "told\nwarning: careful\nnoise\nroot later\n",
        ),
        ("progress.speak()", "", "told\nwarning: careful\nnoise\nlater\n"),
        (
            "progress.speak(); logging.basicConfig(format='root %(message)s')",
            "",
            "root told\nroot careful\nroot noise\nroot later\n",
        ),
    ],
)
def test_a_verb_speaks_where_nobody_configured_logging(before: str, after: str, shown: str) -> None:
    code = SPEAKS.format(before=before, after=after)
    environment = os.environ | {"PYTHONPATH": str(Path(medunet.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == shown


def test_nothing_is_left_of_it() -> None:
    logger = logging.getLogger("medunet")
    before = [*logger.handlers], logger.level
    with pytest.raises(MissingInputError):
        medunet.check("nowhere")
    assert ([*logger.handlers], logger.level) == before


def test_further_keywords_are_those_of_a_typed_dict() -> None:
    class More(TypedDict, total=False):
        count: Count

    @verb
    def take(first: int, **more: Unpack[More]) -> tuple[int, dict[str, Any]]:
        return first, dict(more)

    assert take(1) == (1, {})
    assert take(1, count=np.int64(2)) == (1, {"count": 2})
    with pytest.raises(InputError, match="count is -1, an int; give a whole number from 0 on"):
        take(1, count=-1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'counts'"):
        take(1, counts=1)  # type: ignore[call-arg]
