from dataclasses import replace

import numpy as np
from facts import edit_image, make_case

from medunet.cohort import CaseFacts, find_opposite

NAMES = ("one", "other")


def make_pair(number: int, swapped: bool = False, higher: float = 0.0, larger: float = 1.0) -> CaseFacts:
    """Two labels on both sides of the midline, each a little out of place; "one" on the right unless `swapped`."""
    case, random = make_case(number), np.random.default_rng(number)
    base = (case.labels or {})["liver"]
    pair = {}
    for name, side in zip(NAMES, (-1, 1) if swapped else (1, -1), strict=True):
        x, y, z = random.normal((0.5 * side, 0.1, higher * side), 0.02)
        pair[name] = replace(base, voxels=int(2000 * (larger if side > 0 else 1)), centre=(x, y, z))
    return replace(case, labels={**(case.labels or {}), **pair})


def test_labels_like_mirror_images_are_found_and_the_left_one_comes_first() -> None:
    cases = [make_pair(number) for number in range(6)]
    assert find_opposite(cases) == (("other", "one"),)
    assert find_opposite([make_pair(number, swapped=True) for number in range(6)]) == (("one", "other"),)


def test_what_lies_so_by_chance_or_is_another_organ_is_not() -> None:
    assert find_opposite([make_pair(number) for number in range(4)]) == ()
    assert find_opposite([make_pair(number, swapped=number % 2 > 0) for number in range(10)]) == ()
    assert find_opposite([make_pair(number, higher=0.3) for number in range(6)]) == ()
    assert find_opposite([make_pair(number, larger=3.0) for number in range(6)]) == ()
    # A liver and a spleen are no mirror images.
    assert find_opposite([make_case(number) for number in range(10)]) == ()


def test_pictures_have_no_midline() -> None:
    assert find_opposite([edit_image(make_pair(number), unit="px") for number in range(6)]) == ()
