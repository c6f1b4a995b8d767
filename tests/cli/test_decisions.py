import pytest

from medunet.cli.decisions import make_decisions, take_decisions
from medunet.errors import InputError


def test_what_is_not_given_is_left_to_the_bundle() -> None:
    assert make_decisions() == {}
    assert make_decisions(["a=0.3", "b c=.5"], "a,b", "0.1mL") == {
        "thresholds": {"a": 0.3, "b c": 0.5},
        "keep_largest": ["a", "b"],
        "smallest": "0.1mL",
    }


@pytest.mark.parametrize("text", ["a", "=0.3", "a=", "a=half", "a=-1", "a=1e-3"])
def test_a_threshold_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"it is not LABEL=PROBABILITY; write it like --threshold lesion=0\.3"):
        make_decisions([text])


def test_a_label_that_is_named_twice_is_refused() -> None:
    with pytest.raises(InputError, match=r"--threshold a=0\.4: it names a label twice"):
        make_decisions(["a=0.3", "a=0.4"])
    with pytest.raises(InputError, match="a name is empty"):
        make_decisions(keep_largest="a,,b")


def test_a_command_gets_them_as_one_argument() -> None:
    seen = {}

    def command(decisions: dict[str, object]) -> None:
        seen.update(decisions)

    take_decisions(command)(threshold=None, keep_largest="all", smallest=None)
    assert seen == {"keep_largest": ["all"]}
