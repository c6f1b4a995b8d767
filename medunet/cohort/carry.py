"""Carry the series that were found: from discovery to the cases made of them, and to child processes as plain data."""

from collections.abc import Iterable
from typing import Any

from medunet.cohort.cases import Case, Cohort
from medunet.cohort.opening import find_channel
from medunet.errors import MedunetError
from medunet.reading import Series, find_again

Packed = dict[str, dict[str, Any]]
"""For each channel of a case that is a series: its `files` and `uid`, and codes and texts of its `notes`."""


def carry_series(cohort: Cohort, found: Iterable[Series]) -> Cohort:
    """Let the channels of a cohort carry the series that they were made of.

    Args:
        cohort: with absolute paths.
        found: all series of a folder. Those that can't be read are left to be found, and refused, by their path.
    """
    series = {(item.folder, item.uid): item for item in (item.make_absolute() for item in found if not item.problems)}
    cases = []
    for case in cohort.cases:
        channels = {
            name: channel.with_series(series[key]) if (key := (channel.path, channel.series)) in series else channel
            for name, channel in case.channels.items()
        }
        cases.append(case.model_copy(update={"channels": channels}))
    return cohort.model_copy(update={"cases": tuple(cases)})


def pack_series(case: Case) -> Packed:
    """The files of the series of a case; none where one can't be found, so that whoever reads it says why."""
    try:
        images = {name: find_channel(channel) for name, channel in case.channels.items()}
    except MedunetError:
        return {}
    return {
        name: {
            "uid": image.series.uid,
            "files": image.series.files,
            "notes": [[note.code, note.text] for note in image.series.notes],
        }
        for name, image in images.items()
        if image.series
    }


def unpack_series(case: Case, packed: Packed) -> Case:
    """A case whose channels carry the series of `pack_series`, their headers read once and kept whole."""
    channels = dict(case.channels)
    for name, parts in packed.items():
        if series := find_again(**parts):
            channels[name] = channels[name].with_series(series)
    return case.model_copy(update={"channels": channels})
