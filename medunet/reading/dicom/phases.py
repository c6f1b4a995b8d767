"""Make one volume of the slices of a series: of all, or of one phase where several images share their places.

Vocabulary: a *phase* is one image of a series that holds several of them: a contrast phase, an echo, a b-value, a time
point, a stack, a reconstruction. It is called by the marks in which it differs, such as `EchoTime 4.6`, or, where a
tag counts on from slice to slice, by its turn at each place, such as `TriggerTime #2`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations, pairwise

import numpy as np

from medunet.errors import SeriesError
from medunet.geometry import ACCEPTED_MM, Grid
from medunet.reading.dicom.claims import NUMBER
from medunet.reading.dicom.headers import ORTHONORMAL, Header, fit_grid, measure_heights, order_headers
from medunet.reading.dicom.marks import COUNTED, DIFFERING, SAME, sort_key

Stack = tuple[list[Header], Grid, float]
"""Slices in order, their grid, and the largest distance in mm between it and their own headers."""
Phases = dict[str, list[Header]]
TOGETHER = 3
"""How many tags at once may tell phases apart, such as echo, b-value and direction."""
LISTED = 12
ALIKE = 0.01
"""Numbers that differ by 1 % are one echo or one b-value, measured for each slice."""


def stack_headers(headers: Sequence[Header], phase: str | None, subject: str) -> Stack:
    """Order slices and fit their grid.

    Args:
        headers: of one series, without copies.
        phase: which one, where it holds several.
        subject: the series, for messages.

    Raises:
        SeriesError: the slices make no regular grid, or several and none or another one was chosen.
    """
    whole = _find_mixture(headers) or _try_stack(headers)
    phases = find_phases(headers) if isinstance(whole, SeriesError) else {}
    if phases:
        left = len(headers) - sum(map(len, phases.values()))
        return _stack(_choose(phases, phase, subject, f", and {left} slices that make none" if left else ""))
    if isinstance(whole, SeriesError):
        raise whole
    if phase is not None:
        _check_phase(headers, phase, subject)
    return whole


def _stack(headers: Sequence[Header]) -> Stack:
    ordered = order_headers(headers)
    return ordered, *fit_grid(ordered)


def _try_stack(headers: Sequence[Header]) -> Stack | SeriesError:
    try:
        return _stack(headers)
    except SeriesError as error:
        return error


def _find_mixture(headers: Sequence[Header]) -> SeriesError | None:
    """Why slices are not of one image, where they differ in a mark that all slices of one image share."""
    for name in SAME:
        by_value = {header.marks.get(name, ""): header for header in headers}
        if len(by_value) > 1 and not _are_alike(by_value):
            low, *_, high = sorted(by_value, key=sort_key)
            found = f"its {name} is {high or 'missing'}, not {low or 'missing'} as in {by_value[low].subject}"
            return SeriesError(by_value[high].subject, found, _SPLIT, code="slices-mixed")
    return None


_SPLIT = "split the series, or restore the header"


def _are_alike(values: Iterable[str]) -> bool:
    numbers = [sort_key(value)[0] for value in values]
    return max(numbers) - min(numbers) <= ALIKE * max(numbers) < float("inf")


def find_phases(headers: Sequence[Header]) -> Phases:
    """Split the slices of a series, so that each phase is one regular grid.

    Returns:
        Slices by the name of their phase. Where no tag makes volumes of all slices, those volumes that a tag makes of
        most of them; none where it makes none, or where slices don't share places.
    """
    places, best, most = _number_places(headers), Phases(), 0
    for phases in chain(_split_by_marks(headers), _split_by_turn(headers, places)):
        apart = {name: part for name, part in phases.items() if _lie_apart(part, places)}
        if len(apart) == len(phases) and all(_is_volume(part) for part in phases.values()):
            return phases
        if (count := sum(map(len, apart.values()))) > most:
            best, most = apart, count
    if len(set(places.values())) == len(headers):
        return {}
    return {name: part for name, part in best.items() if _is_volume(part)}


def _number_places(headers: Sequence[Header]) -> dict[int, int]:
    """A number for each place at which slices lie, by `id` of the header."""
    order = np.argsort(measure_heights(headers), kind="stable")
    positions = np.array([headers[n].position for n in order])
    moved = np.linalg.norm(np.diff(positions, axis=0), axis=1) > ACCEPTED_MM
    numbers = np.concatenate([[0], np.cumsum(moved)])
    return {id(headers[n]): int(number) for n, number in zip(order, numbers, strict=True)}


def _lie_apart(headers: Sequence[Header], places: dict[int, int]) -> bool:
    return len({places[id(header)] for header in headers}) == len(headers) > 1


def _is_volume(headers: Sequence[Header]) -> bool:
    return not isinstance(_find_mixture(headers) or _try_stack(headers), SeriesError)


def _split_by_marks(headers: Sequence[Header]) -> Iterator[Phases]:
    others = sorted({name for header in headers for name in header.marks} - {*DIFFERING, *COUNTED})
    counts = {name: len({header.marks.get(name) for header in headers}) for name in (*DIFFERING, *others)}
    # What differs in more than half of the slices can't make volumes of at least two.
    differing = [name for name, count in counts.items() if 1 < count <= len(headers) / 2]
    for together in range(1, TOGETHER + 1):
        for names in combinations(differing, together):
            groups: dict[tuple[str, ...], list[Header]] = defaultdict(list)
            for header in headers:
                groups[tuple(header.marks.get(name, "") for name in names)].append(header)
            if set(names) <= {*SAME} or _overlap(list(groups.values())):
                ordered = sorted(groups, key=lambda values: [sort_key(value) for value in values])
                yield {_name_phase(names, values): groups[values] for values in ordered}


def _overlap(parts: list[list[Header]]) -> bool:
    """Whether each part reaches into the next one; else slices between them may be missing, which isn't a phase.

    Parts in several directions are images of their own wherever they lie.
    """
    first = parts[0][0]
    ranges = []
    for part in parts:
        if not np.allclose(part[0].orientation, first.orientation, atol=ORTHONORMAL):
            return True
        heights = measure_heights([first, *part])[1:]
        ranges.append((float(heights.min()), float(heights.max())))
    return all(low <= high for (_, high), (low, _) in pairwise(sorted(ranges)))


def _name_phase(names: Sequence[str], values: Sequence[str]) -> str:
    return ", ".join(f"{name} {value or 'none'}" for name, value in zip(names, values, strict=True))


def _split_by_turn(headers: Sequence[Header], places: dict[int, int]) -> Iterator[Phases]:
    at: dict[int, list[Header]] = defaultdict(list)
    for header in headers:
        at[places[id(header)]].append(header)
    turns = {len(group) for group in at.values()}
    if len(turns) > 1 or turns == {1}:
        return
    for name in COUNTED:
        ordered = [_sort_by(group, name) for group in at.values()]
        if all(ordered):
            yield _number_turns(name, ordered)
    if ordered := _count_instances(list(at.values())):
        yield _number_turns(NUMBER, ordered)


def _number_turns(name: str, ordered: Sequence[Sequence[Header]]) -> Phases:
    return {f"{name} #{turn}": list(part) for turn, part in enumerate(zip(*ordered, strict=True), start=1)}


def _count_instances(groups: Sequence[Sequence[Header]]) -> list[list[Header]]:
    """Images at each place by their InstanceNumbers; none where these are no order of images, then places, or reverse.

    Numbers that go all over show nothing of which images belong together.
    """
    ordered = [sorted(group, key=lambda header: header.claims.get(NUMBER, 0)) for group in groups]
    numbers = np.array([[header.claims.get(NUMBER, 0) for header in group] for group in ordered])
    if len(np.unique(numbers)) < numbers.size:
        return []
    by_image = (numbers[:, :-1].max(axis=0) < numbers[:, 1:].min(axis=0)).all()
    lines = numbers[np.argsort(numbers[:, 0])]
    by_place = (lines[:-1, -1] < lines[1:, 0]).all()
    return ordered if by_image or by_place else []


def _sort_by(headers: Sequence[Header], name: str) -> list[Header]:
    """Headers in the order of a mark; none where two share it or one lacks it."""
    values = {header.marks.get(name, "") for header in headers}
    if len(values) < len(headers) or "" in values:
        return []
    return sorted(headers, key=lambda header: sort_key(header.marks[name]))


def _choose(phases: Phases, phase: str | None, subject: str, left: str) -> list[Header]:
    listed = ", ".join(f"'{name}' ({len(part)} slices)" for name, part in list(phases.items())[:LISTED])
    listed += ", …" if len(phases) > LISTED else ""
    if phase is None:
        raise SeriesError(
            subject,
            f"it holds {len(phases)} image{'s' if len(phases) > 1 else ''} of the same places{left}",
            f'choose one with --phase, or as "phase" in a cohort.json: {listed}',
            code="several-phases",
        )
    if phase in phases:
        return phases[phase]
    short = [part for name, part in phases.items() if phase == _shorten(name)]
    if len(short) != 1:
        raise SeriesError(subject, f"it holds no phase '{phase}'", f"choose one of {listed}", code="choice-unknown")
    return short[0]


def _shorten(name: str) -> str:
    return ", ".join(mark.partition(" ")[2] for mark in name.split(", "))


def _check_phase(headers: Sequence[Header], phase: str, subject: str) -> None:
    """A phase that was asked for may be all that there is, if the headers say so."""
    for mark in phase.split(", "):
        name, _, value = mark.partition(" ")
        if any(header.marks.get(name) != value for header in headers):
            found = f"it holds one image, of which nothing says '{mark}'"
            raise SeriesError(subject, found, "leave the phase out, or give its scan", code="choice-unknown")
