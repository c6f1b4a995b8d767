"""Scores of several methods on the same patients, compared in pairs: what one gains over another, and how surely.

Each method is compared with the first. A gain is what it has more, of distances what it has less, so that more is
always better; of several cases of one patient their mean counts, since patients are what is drawn at random.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

import numpy as np
from scipy import stats

from medunet.errors import InputError
from medunet.evaluation.intervals import Distribution, describe_values
from medunet.evaluation.scores import Scores
from medunet.findings import warn
from medunet.records import Record

Measure = Literal["dice", "iou", "nsd", "hd95_mm", "assd_mm", "lesion_f1", "precision", "panoptic"]
LESS_IS_BETTER = ("hd95_mm", "assd_mm")
EQUAL = 1e-9
"""Gains below this are none."""
SAME_TRUTH = 0.01
"""Share by which the volumes of one truth may differ: it may lie on another grid."""
PARTS = 3
"""Groups that numbers are split into, where there are more values than `MOST`."""
MOST = 6
"""Different numbers that are groups of their own."""


class ComparedRow(Record):
    """What a method gains over the first one, for one label and one group of patients."""

    method: str
    """The method."""
    label: str
    """Name of the label or region."""
    group: str
    """Column and value of the patients that are compared; empty for all."""
    gain: Distribution
    """Of the patients' gains; of 0 to 1, or in mm."""
    wins: int
    """Patients who gain."""
    losses: int
    """Patients who lose; for all others both are equal."""
    p: float
    """Two-sided, of Wilcoxon's signed-rank test over patients; 1 where none differs."""
    p_corrected: float
    """The same for as many tests as there are rows, by Holm's method (Scand. J. Stat. 1979)."""
    not_inferior: bool | None
    """Whether the lower end of the interval of the mean gain lies above minus the margin; None without a margin or an
    interval."""


class CaseGain(Record):
    """What a method gains over the first one in a case."""

    case: str
    """Name of the case."""
    patient: str
    """To whom it belongs."""
    method: str
    """The method."""
    label: str
    """Name of the label or region."""
    first: float
    """Of the first method."""
    value: float
    """Of this method."""
    gain: float
    """What it gains."""


class Comparison(Record):
    """Methods compared with the first of them."""

    version: Literal[1] = 1
    """Version of this record."""
    first: str
    """Name of the method that the others are compared with."""
    methods: tuple[str, ...]
    """Names of the others."""
    measure: str
    """What is compared, by its name in `scores.json`."""
    margin: float | None
    """Loss that counts as none; None where nobody said one."""
    rows: tuple[ComparedRow, ...]
    """For each label and method all patients first, then the groups."""
    cases: tuple[CaseGain, ...]
    """What the rows are made of."""
    left_out: tuple[str, ...]
    """What isn't compared, in words."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is compared.

    Attributes:
        measure: by its name in `CaseScore`; Dice, or AP where labels number objects, if None.
        margin: loss that counts as none.
        by: name of a column of groups, with the value of each case.
    """

    measure: Measure | None = None
    margin: float | None = None
    by: tuple[str, Mapping[str, str]] | None = None


def compare_scores(given: Mapping[str, Scores], wish: Wish) -> Comparison:
    """Compare the first method of each scores with that of the first scores, over cases and labels that both have.

    Args:
        given: by name, two at least.
        wish: what is compared.

    Raises:
        InputError: they have no case or label in common, or were measured otherwise.
    """
    (first, base), *others = given.items()
    measure = wish.measure or ("precision" if base.objects else "dice")
    gains: list[CaseGain] = []
    left_out: list[str] = []
    for name, scores in others:
        _check_alike(first, base, name, scores, measure)
        found = list(_pair(base, name, scores, measure))
        if not found:
            common = f"no case of {first} has a {measure} of the same label in it"
            raise InputError(name, common, "compare scores of the same cases", code="list-wrong")
        gains += found
        left_out += _list_left_out(first, base, name, scores)
    rows = _correct([row for name, _ in others for row in _describe(gains, name, wish)])
    return Comparison(
        first=first,
        methods=tuple(name for name, _ in others),
        measure=measure,
        margin=wish.margin,
        rows=tuple(rows),
        cases=tuple(gains),
        left_out=tuple(left_out),
    )


def _check_alike(first: str, base: Scores, name: str, scores: Scores, measure: str) -> None:
    """Refuse what isn't measured alike, and warn where truths differ."""
    said = [(f"in {item.unit}", f"{'objects' if item.objects else 'labels'}") for item in (base, scores)]
    if said[0] != said[1]:
        found = f"it scores {said[1][1]} {said[1][0]}, and {first} {said[0][1]} {said[0][0]}"
        raise InputError(name, found, "compare scores of one kind", code="list-wrong")
    if measure == "nsd":
        for label in {*base.labels} & {*scores.labels}:
            ours, theirs = base.find_tolerance(label), scores.find_tolerance(label)
            if ours != theirs:
                found = f"its NSD of {label} is at {theirs:g} {base.unit}, that of {first} at {ours:g}"
                raise InputError(
                    name, found, "evaluate one of them again, with the other's --tolerance", code="list-wrong"
                )
    truths = {(item.case, item.label): item.truth_ml for item in base.of_first()}
    apart = [
        item.case
        for item in scores.of_first()
        if abs(truths.get((item.case, item.label), item.truth_ml) - item.truth_ml) > SAME_TRUTH * item.truth_ml + 1e-9
    ]
    if apart:
        listed = ", ".join(dict.fromkeys(apart[:5]))
        warn(
            "label-values",
            name,
            f"its truth of {listed} has another volume than that of {first}",
            "evaluate both again",
        )


def _pair(base: Scores, name: str, scores: Scores, measure: str) -> Iterator[CaseGain]:
    sign = -1.0 if measure in LESS_IS_BETTER else 1.0
    known = {(item.case, item.label): getattr(item, measure) for item in base.of_first()}
    for item in scores.of_first():
        before, value = known.get((item.case, item.label)), getattr(item, measure)
        if before is None or value is None:
            continue
        gain = sign * (value - before)
        patient = base.patients.get(item.case, item.case)
        yield CaseGain(
            case=item.case, patient=patient, method=name, label=item.label, first=before, value=value, gain=gain
        )


def _list_left_out(first: str, base: Scores, name: str, scores: Scores) -> Iterator[str]:
    for what, ours, theirs in (
        ("cases", {s.case for s in base.of_first()}, {s.case for s in scores.of_first()}),
        ("labels", {*base.labels}, {*scores.labels}),
    ):
        for own, only in ((first, ours - theirs), (name, theirs - ours)):
            if only:
                yield f"{what} of {own} alone, beside {name if own == first else first}: {', '.join(sorted(only))}"


def _describe(gains: Sequence[CaseGain], name: str, wish: Wish) -> Iterator[ComparedRow]:
    """All patients of each label, then the groups of these."""
    own = [item for item in gains if item.method == name]
    for label in dict.fromkeys(item.label for item in own):
        held = [item for item in own if item.label == label]
        yield _make_row(held, "", wish.margin)
        for group, part in _group(held, wish.by):
            yield _make_row(part, group, wish.margin)


def _make_row(held: Sequence[CaseGain], group: str, margin: float | None) -> ComparedRow:
    values, patients = {item.case: item.gain for item in held}, {item.case: item.patient for item in held}
    gain = describe_values(values, patients, (-inf, inf))
    if gain is None:
        raise ValueError("a row has at least one case")
    by_patient: dict[str, list[float]] = defaultdict(list)
    for item in held:
        by_patient[item.patient].append(item.gain)
    means = np.array([float(np.mean(own)) for own in by_patient.values()])
    differ = means[np.abs(means) > EQUAL]
    p = float(stats.wilcoxon(differ).pvalue) if len(differ) else 1.0
    # Where all gain alike, that is the mean of the patients that there are.
    low = gain.mean if gain.low is None and not len(differ) and len(means) > 1 else gain.low
    return ComparedRow(
        method=held[0].method,
        label=held[0].label,
        group=group,
        gain=gain,
        wins=int((differ > 0).sum()),
        losses=int((differ < 0).sum()),
        p=p,
        p_corrected=p,
        not_inferior=None if margin is None or low is None else low > -margin,
    )


def _group(held: Sequence[CaseGain], by: tuple[str, Mapping[str, str]] | None) -> Iterator[tuple[str, list[CaseGain]]]:
    """Cases by the value of a column, the numbers of which are split where there are many."""
    if by is None:
        return
    column, values = by
    said = {item.case: values.get(item.case, "").strip() or "not said" for item in held}
    numbers = {case: number for case, text in said.items() if (number := _read_number(text)) is not None}
    if len({*numbers.values()}) > MOST:
        ends = np.quantile([*numbers.values()], np.linspace(0, 1, PARTS + 1)[1:-1])
        low, high = f"{ends[0]:.4g}", f"{ends[-1]:.4g}"
        names = (f"up to {low}", f"{low} to {high}", f"above {high}")
        said |= {case: names[int(np.searchsorted(ends, number))] for case, number in numbers.items()}
        order = {name: place for place, name in enumerate(names)}
    else:
        order = {text: place for place, text in enumerate(sorted({*said.values()}, key=_rank))}
    for text in sorted({*said.values()}, key=lambda one: order.get(one, len(order))):
        yield f"{column}: {text}", [item for item in held if said[item.case] == text]


def _read_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _rank(text: str) -> tuple[bool, float, str]:
    number = _read_number(text)
    return number is None, number or 0.0, text


def _correct(rows: Sequence[ComparedRow]) -> list[ComparedRow]:
    """Rows with their p for as many tests as there are, by Holm's step-down."""
    order = sorted(range(len(rows)), key=lambda n: rows[n].p)
    corrected, highest = [1.0] * len(rows), 0.0
    for place, n in enumerate(order):
        highest = max(highest, min(1.0, rows[n].p * (len(rows) - place)))
        corrected[n] = highest
    return [row.model_copy(update={"p_corrected": p}) for row, p in zip(rows, corrected, strict=True)]
