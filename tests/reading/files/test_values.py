from pathlib import Path

import numpy as np
import pytest

from medunet.errors import InputError
from medunet.reading.files.values import check_values


def test_whole_numbers_keep_their_type_and_floats_have_32_bits() -> None:
    whole = np.arange(6, dtype=np.int16)
    assert check_values(whole, Path("a.nii")) is whole
    single = check_values(np.array([0.1, 2.0], np.float64), Path("a.nii"))
    assert single.dtype == np.float32
    assert np.array_equal(single, np.array([0.1, 2.0], np.float32))


@pytest.mark.parametrize(
    ("voxels", "words"),
    [
        (np.array([1.0, np.nan, np.inf, -np.inf], np.float32), "3 voxels are not finite"),
        (np.array([1.0, 1e300]), "1 voxels are not finite"),
        (np.array([1 + 2j]), "complex128, not single numbers"),
    ],
)
def test_what_is_no_single_finite_number_is_refused(voxels: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=f"a.nii: .*{words}"):
        check_values(voxels, Path("a.nii"))
