"""CTs that were cut out are told by their values."""

import pytest

from medunet.labels import LabelTable
from medunet.measuring.measures import ValueRange
from medunet.planning.surroundings import explain_cut_out, find_cut_out
from medunet.task import Task

TASK = Task(
    channels=("ct", "pet"), modalities={"ct": "CT", "pet": "PT"}, labels=LabelTable.from_names(["organ"]), unit="mm"
)
PET = ValueRange(low=(0.0, 0.0), middle=(0.0, 0.0), high=(4.0, 9.0))


@pytest.mark.parametrize(
    ("low", "middle", "cut"),
    [
        ((-1024, -1024), (-1024, -1024), True),
        ((-1024, -1024), (-1024, -1023.5), True),
        ((-1024, -1000), (-1024, -990), False),
        ((-1024, -1024), (-998, -120), False),
        ((0, 0), (0, 0), False),
    ],
)
def test_more_than_half_of_every_image_is_air_of_one_value(
    low: tuple[float, float], middle: tuple[float, float], cut: bool
) -> None:
    values = {"ct": ValueRange(low=low, middle=middle, high=(300.0, 900.0)), "pet": PET}
    assert find_cut_out(TASK, values) == (("ct",) if cut else ())


def test_a_reason_names_the_channels() -> None:
    assert explain_cut_out(()) == {}
    assert explain_cut_out(("ct",))["surroundings"].startswith("more than half of each ct is one value of air")
    assert find_cut_out(TASK, {}) == ()
