import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monai.data.utils import dense_patch_slices

from medunet.preparation.positions import place_patches

SIZES = st.tuples(*[st.tuples(st.integers(4, 20), st.integers(0, 30))] * 3)


@given(SIZES, st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_patches_cover_every_voxel_and_stay_inside(sizes: tuple[tuple[int, int], ...], overlap: float) -> None:
    patch = tuple(size for size, _ in sizes)
    shape = tuple(size + more for size, more in sizes)
    seen = np.zeros(shape, bool)
    for start in place_patches(shape, patch, overlap):
        assert all(0 <= s and s + p <= n for s, p, n in zip(start, patch, shape, strict=True))
        seen[tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))] = True
    assert seen.all()


@pytest.mark.parametrize(
    ("shape", "patch"), [((112, 88, 44), (48, 48, 32)), ((64, 64, 64), (64, 64, 64)), ((90, 70, 33), (32, 40, 16))]
)
def test_places_are_those_of_monai(shape: tuple[int, ...], patch: tuple[int, ...]) -> None:
    step = tuple(int(p * 0.5) if n != p else p for p, n in zip(patch, shape, strict=True))
    theirs = [tuple(s.start for s in slices) for slices in dense_patch_slices(shape, patch, step)]
    assert sorted(place_patches(shape, patch, 0.5)) == sorted(theirs)
