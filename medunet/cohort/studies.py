"""The studies of one patient in a tree: each that has every channel is a case."""

from collections.abc import Mapping, Sequence

from medunet.errors import SeriesError, UnmatchedError, independent
from medunet.findings import warn
from medunet.reading import LabelFile, Series, tabulate_series

LIST = "list the right ones in a cohort.json"
Visit = dict[str, Series]
"""Series of each channel."""


def find_visits(patient: str, found: Sequence[Series], modalities: Mapping[str, str]) -> list[Visit]:
    """The images of each case of a patient.

    One series for each channel makes a case, whatever studies they are of. Where there are more, each study that has
    every channel is one; a study that lacks one is left out with a warning.

    Args:
        patient: PatientID, for messages.
        found: series of the patient.
        modalities: of each channel, by its name.

    Raises:
        UnmatchedError: a channel has no series, or several in one study.
    """
    whole, lacking = _part_studies(found, modalities)
    if not whole:
        return [_choose_each(f"patient {patient}", found, modalities)]
    for uid, names in lacking.items():
        warn("channel-missing", f"patient {patient}", f"its study {uid} has no {names} series, so it is left out")
    visits = []
    for uid, own in whole.items():
        with independent():
            visits.append(_choose_each(f"patient {patient}, study {uid}", own, modalities))
    return visits


def try_visits(patient: str, found: Sequence[Series], modalities: Mapping[str, str]) -> list[Visit | SeriesError]:
    """As `find_visits`, with the reason in place of a visit that isn't whole, and none left out."""
    whole, lacking = _part_studies(found, modalities)
    parts: dict[str, Sequence[Series]] = {f"patient {patient}, study {uid}": own for uid, own in whole.items()}
    parts = parts or {f"patient {patient}": found}
    visits: list[Visit | SeriesError] = []
    for subject, own in parts.items():
        try:
            visits.append(_choose_each(subject, own, modalities))
        except SeriesError as error:
            visits.append(error)
    for uid, names in lacking.items():
        subject = f"patient {patient}, study {uid}"
        visits.append(UnmatchedError(subject, f"it has no {names} series", "add it", code="channel-missing"))
    return visits


def _part_studies(
    found: Sequence[Series], modalities: Mapping[str, str]
) -> tuple[dict[str, list[Series]], dict[str, str]]:
    """Series of each study that has every channel, and what others lack; none where all series make one case."""
    fitting = [series for series in found if series.modality in modalities.values()]
    wanted = set(modalities.values())
    studies = {uid: [item for item in fitting if item.study_uid == uid] for uid in _list_studies(fitting)}
    whole = {uid: own for uid, own in studies.items() if {item.modality for item in own} == wanted}
    if len(fitting) == len(wanted) or len(studies) < 2 or not whole:
        return {}, {}
    return whole, {
        uid: ", ".join(sorted(wanted - {item.modality for item in own}))
        for uid, own in studies.items()
        if uid not in whole
    }


def _list_studies(found: Sequence[Series]) -> list[str]:
    return list(dict.fromkeys(item.study_uid for item in found))


def _choose_each(subject: str, found: Sequence[Series], modalities: Mapping[str, str]) -> Visit:
    return {name: _choose(subject, found, name, modality) for name, modality in modalities.items()}


def _choose(subject: str, found: Sequence[Series], channel: str, modality: str) -> Series:
    fitting = [series for series in found if series.modality == modality]
    if not fitting:
        there = ", ".join(sorted({series.modality for series in found}))
        raise UnmatchedError(
            subject,
            f"it has no {modality} series, which channel {channel} needs (there is {there or 'none'})",
            "add it, take the patient away, or name only channels that all have with --channels",
            code="channel-missing",
        )
    if len(fitting) > 1:
        remedy = f"{LIST}:{tabulate_series(fitting)}"
        raise UnmatchedError(subject, f"it has {len(fitting)} {modality} series", remedy, code="channel-ambiguous")
    return fitting[0]


def take_labels(found: Sequence[LabelFile], visit: Visit, others: Sequence[Visit]) -> list[LabelFile]:
    """The files of labels of a patient that may be of one visit: not those that name another one.

    Args:
        found: of the patient.
        visit: whose labels are wanted.
        others: further visits of the patient.
    """
    own = {item.uid for item in visit.values()}
    foreign = {item.uid for other in others for item in other.values()}
    studies = {item.study_uid for other in others for item in other.values()}
    return [
        item
        for item in found
        if own & set(item.series_uids) or not (foreign & set(item.series_uids) or item.study_uid in studies)
    ]
