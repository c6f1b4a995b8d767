"""Which CTs were cut out of what lay around the patient, so that training has to draw it."""

from collections.abc import Mapping

from medunet.measuring.measures import ValueRange
from medunet.task import Task

AIR_HU = -900.0
"""What is below is air."""
SAME_HU = 1.0


def find_cut_out(task: Task, values: Mapping[str, ValueRange]) -> tuple[str, ...]:
    """Channels of which in every case more than half of all voxels have the least value, which is one of air.

    A scanner's air is noise around -1000 HU, and circles beyond the field of view fill a fifth of a slice. So these
    images were cut out: neither couch nor clothes are there.

    Args:
        task: with the modalities of its channels.
        values: of the whole images, by channel.
    """
    found = [name for name in task.channels if task.modalities[name] == "CT" and name in values]
    return tuple(name for name in found if _is_cut_out(values[name]))


def _is_cut_out(values: ValueRange) -> bool:
    return values.middle[1] <= min(values.low[0] + SAME_HU, AIR_HU)


def explain_cut_out(channels: tuple[str, ...]) -> dict[str, str]:
    """Why something is drawn around the body in training, as the reason of a plan; none where nothing is."""
    if not channels:
        return {}
    found = f"more than half of each {' and '.join(channels)} is one value of air: it was cut out of its surroundings"
    return {"surroundings": f"{found}, which a scan has, so couches, sheets and noise are drawn around the body"}
