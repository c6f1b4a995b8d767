"""What all cases of a cohort must have in common."""

import logging
from collections.abc import Sequence

from medunet.cohort.cases import Cohort
from medunet.cohort.facts import CaseFacts, ImageFacts
from medunet.errors import GeometryError, InputError, LabelError
from medunet.geometry import Unit

LOGGER = logging.getLogger(__name__)


def agree_on_unit(cases: Sequence[CaseFacts]) -> Unit:
    """The unit of lengths.

    Raises:
        GeometryError: some images have a physical size and others don't.
    """
    units = {image.unit: case.id for case in cases for image in [*case.images.values()][:1]}
    if len(units) > 1:
        raise GeometryError(
            "cohort",
            f"the image of case {units['px']} has no physical size, that of case {units['mm']} has one",
            "make a bundle of each kind",
            code="size-differs",
        )
    return next(iter(units), "mm")


def agree_on_modality(channel: str, modality: str, cases: Sequence[CaseFacts]) -> None:
    """Check that the images of a channel are of the modality that it is said to have, where their headers tell.

    Raises:
        InputError: one is of another.
    """
    for case, image in _take_channel(channel, cases).items():
        own = image.source.modality
        if own and own != modality:
            said = f"the {channel} of case {case} is {own}, but its channel is said to be {modality}"
            remedy = f'say "modalities": {{"{channel}": "{own}"}} in a cohort.json, or give another image'
            raise InputError("cohort", said, remedy, code="modality-differs")


def agree_on_values(channel: str, cases: Sequence[CaseFacts]) -> str:
    """Units of the values of a channel; files that don't say theirs are taken to have those of the others.

    Raises:
        InputError: they differ.
    """
    images = _take_channel(channel, cases)
    named = {image.source.units: case for case, image in images.items() if image.source.units}
    if len(named) > 1:
        (units, case), (others, other) = sorted(named.items())[:2]
        why = next((note.text for note in images[case].source.notes if units in note.text), "")
        raise InputError(
            "cohort",
            f"the {channel} of case {case} is in {units}{f' ({why})' if why else ''}, that of case {other} in {others}",
            'complete the headers, leave cases out, or take all as they are stored ("pet": "stored" in a cohort.json)',
            code="units-differ",
        )
    return next(iter(named), "")


def agree_on_components(channel: str, cases: Sequence[CaseFacts]) -> int:
    """Components that the network is given: a grey picture can stand for a colour one, nothing else for another.

    Raises:
        InputError: files of the channel differ in them otherwise.
    """
    images = _take_channel(channel, cases)
    most = max((image.components for image in images.values()), default=1)
    fewer = [case for case, image in images.items() if image.components < most]
    odd = next((case for case in fewer if images[case].unit == "mm" or images[case].components > 1), None)
    if odd is not None:
        other = next(case for case, image in images.items() if image.components == most)
        raise InputError(
            "cohort",
            f"the {channel} of case {odd} has {images[odd].components} components, that of case {other} has {most}",
            "give every case the same",
            code="components-differ",
        )
    if fewer:
        LOGGER.info("%d of %d pictures are grey: they are repeated to %d components", len(fewer), len(images), most)
    return most


def agree_on_labels(cases: Sequence[CaseFacts]) -> None:
    """Check that there is anything to learn.

    Raises:
        LabelError: no case holds any label.
    """
    if not any(case.labels for case in cases):
        raise LabelError(
            "cohort", "no case holds any voxel of a label", "check the contours or label maps", code="label-missing"
        )


def agree_on_missing(cohort: Cohort, cases: Sequence[CaseFacts]) -> None:
    """Check that it is said what it means where some cases have nothing of a label that others have.

    Of a single label it is plain: a file of labels that holds none of it says that there is none.

    Args:
        cohort: what is said of it.
        cases: what was measured of them.

    Raises:
        LabelError: it isn't.
    """
    told = {case.id for case in cohort.cases if case.contoured is not None}
    open_cases = [case for case in cases if case.labels is not None and case.id not in told]
    held = {name for case in cases for name in case.labels or ()}
    lacking = {name: sum(name not in (case.labels or ()) for case in open_cases) for name in cohort.labels.names}
    lacking = {name: count for name, count in lacking.items() if count and name in held}
    if cohort.missing is not None or len(cohort.labels.names) == 1 or not lacking:
        return
    listed = ", ".join(f"{name} in {count}" for name, count in lacking.items())
    raise LabelError(
        "cohort",
        f"of its {len(cases)} cases some have nothing of a label ({listed}), and nothing says what that means",
        "say --missing absent (there is none), --missing unknown (nobody looked for it: it may be anywhere), the same "
        'as "missing" in a cohort.json, or list for each case what is "contoured"',
        code="label-unsaid",
    )


def _take_channel(channel: str, cases: Sequence[CaseFacts]) -> dict[str, ImageFacts]:
    return {case.id: case.images[channel] for case in cases if channel in case.images}
