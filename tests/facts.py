"""What would be measured of the cases of a sound cohort."""

from dataclasses import replace
from typing import Any

import numpy as np

from medunet.cohort.facts import CaseFacts, ImageFacts, LabelFacts
from medunet.reading import Source


def make_case(number: int) -> CaseFacts:
    """A CT with a liver on the right and a spleen on the left; the number is the seed."""
    rng = np.random.default_rng(number)
    sided = np.linspace(-1, 1, 16)[:, None, None] * np.ones((16, 16, 16)) + rng.normal(0, 0.2, (16, 16, 16))
    source = Source(path=f"{number}/ct", patient_id=f"P{number}")
    low, high = -1000 + rng.normal(0, 5), 900 + rng.normal(0, 50)
    image = ImageFacts(
        source, "mm", 1, (100, 90, 80), (1.0, 1.0, 3.0), True, -1024, low, -100, high, str(number), sided
    )
    margins = tuple((int(low), int(high)) for low, high in rng.integers(5, 30, (3, 2)))
    liver = LabelFacts(9000, margins, (0.4, 0.1, 0.1), 1, 0, 0, 0)
    spleen = LabelFacts(2000, margins, (-0.5, -0.2, 0.1), 1, 0, 0, 0)
    return CaseFacts(f"case{number}", f"P{number}", {"ct": image}, {"liver": liver, "spleen": spleen}, margins)


def edit_image(case: CaseFacts, **changes: Any) -> CaseFacts:
    """The case with something else measured of its CT."""
    return replace(case, images={"ct": replace(case.images["ct"], **changes)})


def edit_label(case: CaseFacts, **changes: Any) -> CaseFacts:
    """The case with something else measured of its liver."""
    return replace(case, labels={**(case.labels or {}), "liver": replace((case.labels or {})["liver"], **changes)})
