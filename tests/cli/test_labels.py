import inspect

import pytest

from medunet.cli.check import check
from medunet.cli.cohort import export
from medunet.cli.init import init
from medunet.cli.labels import make_labels
from medunet.cli.plan import plan
from medunet.cohort import LabelChoices
from medunet.errors import InputError


def test_options_say_what_is_said_of_labels() -> None:
    assert make_labels() is None
    assert make_labels(missing="unknown") == LabelChoices(missing="unknown")
    assert make_labels(True) == LabelChoices(objects=True)
    assert make_labels(
        precedence="tumor, organ", regions="organ=organ+tumor", label_values="205=1,420=2"
    ) == LabelChoices(
        precedence=("tumor", "organ"), regions={"organ": ("organ", "tumor")}, label_values={205: 1, 420: 2}
    )


@pytest.mark.parametrize(
    "options",
    [
        {"precedence": "a,,b"},
        {"regions": "a"},
        {"regions": "a=a+"},
        {"regions": "a=a,a=b"},
        {"label_values": "205"},
        {"label_values": "x=1"},
    ],
)
def test_what_is_written_otherwise_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(InputError, match="--" + next(iter(options)).replace("_", "-")):
        make_labels(**options)


def test_commands_that_read_cohorts_have_the_same_options() -> None:
    shared = set(inspect.signature(make_labels).parameters)
    for command in (check, export, init, plan):
        assert shared < set(inspect.signature(command).parameters)
