"""Whether the channels of one case show the same patient, and the same part of that patient."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from medunet.errors import InputError
from medunet.findings import Finding, make_finding
from medunet.geometry import Grid, Points

HARDLY = 0.25
"""Share of the smaller field of view within the other, below which two hardly overlap."""
SAMPLES = 16
"""Places along each axis by which fields of view are compared."""


def check_patients(patient_ids: Mapping[str, str], subject: object) -> None:
    """Check that the channels of a case are of one patient, as far as their headers tell.

    Args:
        patient_ids: PatientID of each channel by its name, "" where no header says. Case and blanks don't count.
        subject: whose channels they are, for the message.

    Raises:
        InputError: they are of several patients.
    """
    known = {name: text for name, text in patient_ids.items() if text.strip()}
    for (name, first), (other, second) in combinations(known.items(), 2):
        if first.strip().casefold() != second.strip().casefold():
            said = f"its {name} is of the patient {first.strip()}, its {other} of the patient {second.strip()}"
            raise InputError(subject, said, "give all channels of one patient", code="patients-mixed")


def find_apart(grids: Mapping[str, Grid], subject: object) -> Iterator[Finding]:
    """Channels of a case whose fields of view hardly overlap with that of the first, as warnings.

    Args:
        grids: of each channel by its name; those of pictures are no places in a patient.
        subject: whose channels they are.
    """
    (first, reference), *others = grids.items()
    for name, grid in others:
        if "px" in (grid.unit, reference.unit) or (share := measure_overlap(grid, reference)) >= HARDLY:
            continue
        distance = np.linalg.norm(_find_centre(grid) - _find_centre(reference))
        much = f"only {share:.0%} of the smaller one lies in the other" if share else "they don't overlap at all"
        said = f"its {first} and its {name} hardly show the same place: {much}, their centres are {distance:.0f} mm "
        remedy = "make sure that both are of one patient, and that the headers of both are right"
        yield make_finding("channels-apart", subject, said + "apart", remedy)


def measure_overlap(grid: Grid, other: Grid) -> float:
    """Share of the smaller of two fields of view that lies within the other, from 0 to 1."""
    small, large = sorted((grid, other), key=lambda item: item.voxel_volume * float(np.prod(item.shape)))
    places = [(np.arange(SAMPLES) + 0.5) / SAMPLES * size - 0.5 for size in small.shape]
    points = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 3)
    indices = large.to_voxel(small.to_world(points))
    inside = (indices >= -0.5) & (indices <= np.array(large.shape) - 0.5)
    return float(inside.all(axis=1).mean())


def _find_centre(grid: Grid) -> Points:
    return grid.to_world([(np.array(grid.shape) - 1) / 2])
