import numpy as np
import pytest

from medunet.partial import count_codes, pack_unknown


@pytest.mark.parametrize(("unknown", "count"), [([], 0), ([(), ()], 0), ([(3,), ()], 1), ([(16,)], 1), ([(17,)], 2)])
def test_as_many_numbers_as_the_unknown_labels_take(unknown: list[tuple[int, ...]], count: int) -> None:
    assert count_codes(unknown) == count


def test_every_set_of_labels_is_a_number_that_float32_holds() -> None:
    codes = pack_unknown(range(1, 33), 2)
    assert codes.dtype == np.float32
    assert codes.tolist() == [2**16 - 1] * 2
    assert pack_unknown([], 1).tolist() == [0.0]
