from pathlib import Path

import pytest

from medunet.cli.inputs import make_inputs, take_inputs
from medunet.errors import InputError, RecordError


def test_options_hold_for_a_channel_or_for_all() -> None:
    found = make_inputs(
        image=["ct=a b/c=d"], series=["pet=1.2"], phase=["EchoTime 4.6"], assume_rescale=["ct=1,-1024"], pet=["stored"]
    )
    assert found.images == [{"ct": Path("a b/c=d")}]
    assert found.options[""].phase == found.options["ct"].phase == found.options["pet"].phase == "EchoTime 4.6"
    assert found.options["ct"].assume_rescale == (1.0, -1024.0)
    assert found.options["pet"].series == "1.2"
    assert found.options["pet"].pet == "stored"


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"phase": ["1", "2"]}, InputError, "--phase 2: it names no channel, or one twice"),
        ({"series": ["=1.2"]}, InputError, "--series =1.2"),
        ({"pet": ["bq"]}, RecordError, "the key 'pet'"),
        ({"assume_rescale": ["1;2"]}, RecordError, "the key 'assume_rescale"),
    ],
)
def test_options_that_say_nothing_are_refused(given: dict[str, list[str]], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        make_inputs(**given)


def test_a_command_gets_them_as_one_argument() -> None:
    seen = {}

    def command(inputs: object, output: str = "x") -> None:
        seen.update(inputs=inputs, output=output)

    run = take_inputs(command)
    run(output="y", image=["ct=z"], series=None, phase=None, assume_rescale=None, pet=None, prefer=None)
    assert seen["output"] == "y"
    assert seen["inputs"].images == [{"ct": Path("z")}]


def test_a_channel_that_is_named_again_begins_another_scan() -> None:
    found = make_inputs(image=["ct=a", "pet=b", "ct=c", "pet=d"])
    assert found.images == [{"ct": Path("a"), "pet": Path("b")}, {"ct": Path("c"), "pet": Path("d")}]
