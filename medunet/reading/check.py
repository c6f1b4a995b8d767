"""Everything that is wrong or odd about images: where a reader stops at its first refusal, go on beside it."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from medunet.errors import MedunetError, SeriesError, collecting, independent, refuse_damage
from medunet.findings import Finding, Note, add_remedy, describe_error, describe_note, listening, make_finding
from medunet.progress import track
from medunet.reading.dicom.copies import drop_copies
from medunet.reading.dicom.headers import Header
from medunet.reading.dicom.objects import RTSTRUCT, find_modality
from medunet.reading.dicom.phases import find_phases
from medunet.reading.dicom.series import Contents, Series, tabulate_series
from medunet.reading.dicom.slices import decode_slices
from medunet.reading.dicom.values import assume_rescale, find_values, miss_rescale
from medunet.reading.labels.contours import read_contours
from medunet.reading.options import DEFAULTS, ReadOptions
from medunet.reading.volume import Image, Volume, find_image, is_image_file, read_image

Tell = Callable[[Volume], Sequence[Finding]]
"""What is said of a volume that was read."""
SCOUT = re.compile(r"locali[sz]er|scout|survey|topogram|surview|scanogram|3.?plane", re.IGNORECASE)
"""What images that only serve to plan a scan are called."""
P = ParamSpec("P")
T = TypeVar("T")


def attempt(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T | None, list[Finding]]:
    """Call a reader: what came of it, or None; its refusal and its warnings as findings."""
    result, refused = None, []
    with listening() as heard:
        try:
            result = read(*args, **kwargs)
        except MedunetError as error:
            refused = [describe_error(error)]
    return result, [*map(add_remedy, heard), *refused]


def check_image(path: Path | str, options: ReadOptions = DEFAULTS) -> tuple[Volume | None, list[Finding]]:
    """Read an image.

    Args:
        path: as of `read_volume`.
        options: how to read it.

    Returns:
        The volume, None where it is refused; its refusal and all others that don't follow from it, or what it was
        warned of or noted for.
    """
    return check_found(partial(find_image, path, options))


def check_found(find: Callable[[], Image]) -> tuple[Volume | None, list[Finding]]:
    """Find an image and read it; returns what `check_image` does."""
    image, found = attempt(find)
    if image is None:
        return None, found
    volume, said = attempt(read_image, image)
    found += said
    if volume is not None:
        return volume, found + _take_notes(image.path, volume.source.notes, found)
    if image.series is not None:
        found += _go_on(image.series, image.options, found[-1])
    return None, _drop_twins(found)


def describe_read(volume: Volume) -> Finding:
    """Say what was read, with its smallest and largest value, as a note."""
    values = f"values {volume.voxels.min():g} to {volume.voxels.max():g}"
    return make_finding("scan-read", volume.source.path, f"read as {volume.describe()}, {values}")


def check_series(series: Series, options: ReadOptions = DEFAULTS, tell: Tell | None = None) -> list[Finding]:
    """Read a series that was found already; findings as of `check_image`, and what `tell` says of the volume."""
    volume, found = attempt(read_image, Image(series.folder, options, series))
    if volume is not None:
        return [*found, *_take_notes(series.folder, volume.source.notes, found), *(tell(volume) if tell else ())]
    return _drop_twins(found + _go_on(series, options, found[-1]))


def check_folder(
    found: Contents, path: Path, known: frozenset[str] = frozenset(), tell: Tell | None = None
) -> list[Finding]:
    """Read all images and contours of a folder.

    Args:
        found: what it holds.
        path: of the folder.
        known: SeriesInstanceUIDs and paths of labels that have been read already.
        tell: says more of the volume of each series.
    """
    findings = []
    if len(found.series) > 1 and not known:
        few = f"it holds {len(found.series)} series"
        choose = f"choose one to read with --series [NAME=]UID:{tabulate_series(found.series)}"
        findings.append(make_finding("several-series", path, few, choose))
    findings += [describe_damaged(error) for error in found.damaged]
    if (
        not found.series
        and not found.labels
        and not found.damaged
        and not any(is_image_file(Path(name)) for name, _ in found.others)
    ):
        findings += attempt(find_image, path)[1]
    others = [series for series in found.series if series.uid not in known]
    for series in track(others, "reading other series" if known else "reading series", len(others)):
        findings += check_series(series, tell=tell)
    for labels in found.labels:
        if labels.path not in known:
            findings += check_contours(labels.path)
    for name, reason in found.others:
        aside = make_finding("set-aside", name, f"set aside: {reason}")
        findings += check_image(name)[1] if is_image_file(Path(name)) else [aside]
    return findings


def excuse_study(findings: list[Finding], found: Sequence[Series]) -> list[Finding]:
    """The findings of a study, those as notes that don't stop anybody from using it.

    Several images in one series are chosen from, and scouts beside a series that is fine aren't read by anybody.

    Args:
        findings: of its series.
        found: its series.
    """
    errors: dict[str, list[str]] = defaultdict(list)
    for item in findings:
        if item.severity == "error" and item.code != "several-phases":
            errors[item.subject].append(item.code)
    of_series = {series: [code for path in _subjects(series) for code in errors.get(path, [])] for series in found}
    excused = {"several-phases": {item.subject for item in findings}}
    if any(not codes for codes in of_series.values()):
        scouts = [series for series, codes in of_series.items() if codes and _is_scout(series, codes)]
        subjects = {path for series in scouts for path in _subjects(series)}
        excused |= {code: subjects for series in scouts for code in of_series[series]}
    return [
        item.model_copy(update={"severity": "note"})
        if item.severity == "error" and item.subject in excused.get(item.code, ())
        else item
        for item in findings
    ]


def _subjects(series: Series) -> set[str]:
    return {*series.files, *(header.subject for header in series.headers)}


def _is_scout(series: Series, codes: Sequence[str]) -> bool:
    return bool(SCOUT.search(series.description)) or {*codes} == {"single-slice"}


def describe_damaged(error: SeriesError) -> Finding:
    """A file that can't be read, which was set aside since no series needs it: as a warning."""
    found = describe_error(error)
    return make_finding(found.code, found.subject, f"{found.found}; it was set aside", found.remedy, "warning")


def check_contours(path: str) -> list[Finding]:
    """What can be said of a file of labels without its image, or of an image."""
    if is_image_file(Path(path)):
        return check_image(path)[1]
    return attempt(read_contours, path)[1] if find_modality(path) == RTSTRUCT else []


def _take_notes(subject: str, notes: tuple[Note, ...], warned: list[Finding]) -> list[Finding]:
    said = {item.found for item in warned}
    return [describe_note(note, subject) for note in notes if note.text not in said]


def _drop_twins(findings: list[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))


def _go_on(series: Series, options: ReadOptions, refusal: Finding) -> list[Finding]:
    """What else is wrong with a series that was refused: its other files, its phases, its other slices."""
    if refusal.code == "several-phases":
        phases = find_phases(drop_copies(series.headers)[0]).values()
        return [item for part in phases for item in check_series(replace(series, headers=tuple(part)), options)]
    with collecting() as errors:
        _decode_each(series, options)
    return [describe_error(error) for error in (*series.problems, *errors)]


def _decode_each(series: Series, options: ReadOptions) -> None:
    """Decode file by file, each independent of the others; without a grid, so that nothing is put together."""
    scaled: dict[bool, list[str]] = {True: [], False: []}
    by_file: dict[str, list[Header]] = defaultdict(list)
    for header in series.headers:
        by_file[header.path].append(header)
    for path, headers in by_file.items():
        with independent(), refuse_damage(path, SeriesError):
            for subject, has_rescale in _read_rescales(headers):
                scaled[has_rescale].append(subject)
    for subject in scaled[False]:
        with independent():
            if scaled[True]:
                raise miss_rescale(subject, scaled[True][0])
            if series.modality == "CT":
                assume_rescale(options, subject)


def _read_rescales(headers: list[Header]) -> Iterator[tuple[str, bool]]:
    for item in decode_slices(headers):
        yield item.subject, find_values(item)[1] is not None
