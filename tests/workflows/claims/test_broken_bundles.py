"""What MONAI makes of a broken bundle is measured; that medunet finds each is tested in tests/handover."""

from pathlib import Path

import numpy as np
import pytest
from broken_bundles import BREAKS, BUNDLE, run_monai, tell

from medunet.codes import CODES


def test_each_way_is_another_one() -> None:
    assert len({item.name for item in BREAKS}) == len(BREAKS) >= 10
    assert all(item.code in CODES for item in BREAKS)


@pytest.mark.slow
def test_a_row_of_the_table(tmp_path: Path) -> None:
    said, mask = run_monai(BUNDLE)
    assert said == "exit code 0"
    assert mask is not None
    assert np.count_nonzero(mask) > 1000
    (item,) = (item for item in BREAKS if item.name == "no licence")
    assert tell(item, BUNDLE, tmp_path, mask) == (
        "| no licence | exit code 0, Dice 1.000 | error `bundle-incomplete`: "
        "there is no licence; the zoo's check of bundles refuses that |"
    )
