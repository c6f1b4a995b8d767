import inspect

import pytest

from medunet.cli.init import init
from medunet.cli.plan import plan
from medunet.cli.wishes import make_wishes
from medunet.errors import InputError
from medunet.planning import Memory


def test_only_what_is_given_is_wished() -> None:
    assert make_wishes() == {}
    assert make_wishes("90s", 2, "16G", "8GiB", "ct,pet") == {
        "budget_minutes": 1.5,
        "dims": 2,
        "memory": Memory(ram_gib=16, vram_gib=8),
        "channels": ["ct", "pet"],
    }
    assert make_wishes(vram="8G") == {"memory": Memory(vram_gib=8)}


def test_the_option_that_is_wrong_is_named() -> None:
    with pytest.raises(InputError, match="--vram many"):
        make_wishes(ram="16G", vram="many")


def test_commands_that_plan_have_the_same_options() -> None:
    shared = set(inspect.signature(make_wishes).parameters)
    for command in (init, plan):
        assert shared < set(inspect.signature(command).parameters)
