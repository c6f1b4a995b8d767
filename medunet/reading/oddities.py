"""Hold what headers claim of the places of slices against their positions, which alone count.

A *claim* is the number of a tag that follows from the positions where a scanner wrote both, and contradicts them
where something was edited, mixed up or measured otherwise.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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
        try:
            claims[name] = float(dataset.get(name))
        # pydicom turns text into numbers only now, and raises here; None and lists are no numbers either.
        except (TypeError, ValueError):
            continue
    return claims


def note_places(claims: Sequence[Claims], affine: Affine) -> tuple[str, ...]:
    """Notes of a stack that leans, and of claims that contradict it.

    Args:
        claims: of each slice, in order.
        affine: fitted to the positions of the slices.
    """
    step, normal = affine[:3, 2], np.cross(affine[:3, 0], affine[:3, 1])
    along = float(np.linalg.norm(step))
    across = float(abs(normal @ step) / np.linalg.norm(normal))
    leaning = np.degrees(np.arccos(min(across / along, 1.0)))
    notes = (f"slices are sheared by {leaning:.2f} degrees, which the affine keeps",)
    # The distance along a tilted gantry's table is as good as the one along the normal.
    distances = (across, along)
    return (
        (notes if leaning > TILTED_DEGREES else ())
        + _note_distances(claims, distances)
        + _note_locations(claims, distances)
        + _note_numbers(claims)
        + _note_count(claims)
    )


def _note_distances(claims: Sequence[Claims], distances: tuple[float, float]) -> tuple[str, ...]:
    notes = []
    for name in (SPACING, THICKNESS):
        values = [claim[name] for claim in claims if name in claim]
        odd = [value for value in values if not np.isclose(value, distances, rtol=ALIKE, atol=0).any()]
        if not odd:
            continue
        what = ""
        if name == THICKNESS:
            what = ": they overlap" if odd[0] > distances[0] else ": there are gaps between them"
        notes.append(f"{name} is {odd[0]:g} mm, but slices lie {distances[0]:.4g} mm apart{what}")
    return tuple(notes)


def _note_locations(claims: Sequence[Claims], distances: tuple[float, float]) -> tuple[str, ...]:
    if not all(LOCATION in claim for claim in claims):
        return ()
    places = np.abs([claim[LOCATION] - claims[0][LOCATION] for claim in claims])
    counts = np.arange(len(places))
    if any(np.abs(places - counts * distance).max() <= OFF * distance for distance in distances):
        return ()
    return ("SliceLocation contradicts the positions, which count",)


def _note_numbers(claims: Sequence[Claims]) -> tuple[str, ...]:
    numbers = [claim[NUMBER] for claim in claims if NUMBER in claim]
    if len(set(numbers)) < len(claims):
        return ()  # they order nothing
    order, counts = np.argsort(numbers), np.arange(len(numbers))
    off = min(np.count_nonzero(order != counts), np.count_nonzero(order != counts[::-1]))
    notes = (f"InstanceNumber orders {off} of {len(claims)} slices otherwise than their positions, which count",)
    return notes if off else ()


def _note_count(claims: Sequence[Claims]) -> tuple[str, ...]:
    """Slices that are missing at an end show in nothing else; a PET says how many a volume has (PS3.3 C.8.9.1)."""
    count = max(claim.get(COUNT, 0) for claim in claims)
    return (f"{COUNT} is {count:g}, but there are {len(claims)}",) if count > len(claims) else ()


def note_localizers(count: int) -> tuple[str, ...]:
    """A note where localizers lie within the series."""
    return (f"localizers in the series were set aside: {count}",) if count else ()
