"""Hold what headers claim of the places of slices against their positions, which alone count.

A *claim* is the number of a tag that follows from the positions where a scanner wrote both, and contradicts them
where something was edited, mixed up or measured otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from medunet.findings import Note
from medunet.geometry import Affine

SPACING, THICKNESS, LOCATION, NUMBER, COUNT = CLAIMS = (
    "SpacingBetweenSlices",
    "SliceThickness",
    "SliceLocation",
    "InstanceNumber",
    "NumberOfSlices",
)
TILTED_DEGREES = 0.1
"""A stack that leans by more than this is noted; it is exact in any case."""
ALIKE = 0.01
"""Distances within 1 % are one, rounded."""
OFF = 0.1
"""A location farther than this from its position, in steps, is another one."""
Claims = Mapping[str, float]


def read_claims(dataset: Any) -> Claims:
    """Claims of one slice; those that are absent or no number are left out."""
    claims = {}
    for name in CLAIMS:
        # pydicom turns text into numbers only now, and raises here; None and lists are no numbers either.
        with suppress(TypeError, ValueError):
            claims[name] = float(dataset.get(name))
    return claims


def note_places(claims: Sequence[Claims], affine: Affine, modality: str = "") -> tuple[Note, ...]:
    """Notes of a stack that leans, and of claims that contradict it.

    Args:
        claims: of each slice, in order.
        affine: fitted to the positions of the slices.
        modality: of the series; slices of an MR are usually thinner than they lie apart.
    """
    step, normal = affine[:3, 2], np.cross(affine[:3, 0], affine[:3, 1])
    along = float(np.linalg.norm(step))
    across = float(abs(normal @ step) / np.linalg.norm(normal))
    leaning = np.degrees(np.arccos(min(across / along, 1.0)))
    sheared = Note("slices-sheared", f"slices are sheared by {leaning:.2f} degrees, which the affine keeps")
    notes = [sheared] if leaning > TILTED_DEGREES else []
    # The distance along a tilted gantry's table is as good as the one along the normal.
    thin = modality == "MR" and _has_ordinary_gaps(claims, across)
    distances = _find_distances(claims, (SPACING,) if thin else (SPACING, THICKNESS), across, along)
    contradictions = (*distances, *_find_order(claims, across, along, float(np.abs(step).max())))
    return (*notes, *(Note("header-contradicts", text) for text in contradictions))


def _has_ordinary_gaps(claims: Sequence[Claims], across: float) -> bool:
    """Whether slices are no thicker than they lie apart, and gaps no wider than slices; or the header tells the step.

    Then no reader takes the thickness for the distance.
    """
    thickness = np.array([claim.get(THICKNESS, across) for claim in claims])
    spacing = np.array([claim.get(SPACING, 0) for claim in claims])
    narrow = (thickness <= across * (1 + ALIKE)) & (thickness >= across / 2)
    return bool(narrow.all() or np.allclose(spacing, across, rtol=ALIKE, atol=0))


def _find_distances(claims: Sequence[Claims], names: Sequence[str], across: float, along: float) -> Iterator[str]:
    for name in names:
        values = np.array([claim.get(name, across) for claim in claims])
        odd = values[~np.isclose(values[:, None], (across, along), rtol=ALIKE, atol=0).any(axis=1)]
        if len(odd):
            yield f"{name} is {odd[0]:g} mm, but slices lie {across:.4g} mm apart"


def _find_order(claims: Sequence[Claims], across: float, along: float, upright: float) -> Iterator[str]:
    """Contradictions of the order; SliceLocation may count along the patient's axis that is nearest to the normal."""
    counts = np.arange(len(claims))
    locations = np.array([claim[LOCATION] for claim in claims if LOCATION in claim])
    places = np.abs(locations - locations[:1])
    if len(places) == len(claims) and not any(
        np.allclose(places, counts * d, 0, OFF * d) for d in (across, along, upright)
    ):
        yield "SliceLocation contradicts the positions, which count"
    numbers = np.array([claim[NUMBER] for claim in claims if NUMBER in claim])
    if len(np.unique(numbers)) == len(claims):
        order = np.argsort(numbers)
        if off := min(np.count_nonzero(order != counts), np.count_nonzero(order != counts[::-1])):
            yield f"InstanceNumber orders {off} of {len(claims)} slices otherwise than their positions, which count"
    # Slices that are missing at an end show in nothing else; a PET says how many a volume has (PS3.3 C.8.9.1).
    if (count := max(claim.get(COUNT, 0) for claim in claims)) > len(claims):
        yield f"NumberOfSlices is {count:g}, but there are {len(claims)}"
