"""Spread labels that few patients hold over the folds, and say what can't be spread.

A fold learns from the patients that it doesn't hold out, so one that holds out all who have a label never sees it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from medunet.findings import Finding, make_finding

FOLDS = 5
"""Folds that are made."""
Holding = Mapping[str, frozenset[str]]
"""Names of the labels that each patient holds."""


def spread_labels(folds: list[list[str]], labels: Holding, volumes: Mapping[str, float]) -> None:
    """Exchange patients between folds, in place, until no two holders of a rare label share one, as far as that goes.

    The sizes of folds stay, and so does everything where nothing is amiss.

    Args:
        folds: patients that each holds out.
        labels: of each patient.
        volumes: of all labels of each patient; those who change places differ as little as possible.
    """
    while cost := _count_crowding(folds, labels):
        swaps = [_weigh(folds, swap, labels, volumes) for swap in _list_swaps(folds, labels)]
        best = min(swaps, default=None)
        if best is None or best[0] >= cost:
            return
        _, _, _, _, _, (one, other) = best
        _exchange(folds, one, other)


Place = tuple[int, int]
"""Number of a fold, and of a patient in it."""
Weight = tuple[int, bool, float, str, str, tuple[Place, Place]]


def _list_swaps(folds: Sequence[Sequence[str]], labels: Holding) -> Iterator[tuple[Place, Place]]:
    """Exchanges of a patient whose label is crowded with any of another fold."""
    crowded = {name for fold in folds for name in fold if _is_crowded(name, folds, labels)}
    places = [(f, n) for f, fold in enumerate(folds) for n in range(len(fold))]
    first = [(f, n) for f, n in places if folds[f][n] in crowded]
    return ((one, other) for one, other in product(first, places) if one[0] != other[0])


def _weigh(folds: list[list[str]], swap: tuple[Place, Place], labels: Holding, volumes: Mapping[str, float]) -> Weight:
    """What an exchange would leave crowded, and how much else it would change."""
    one, other = swap
    names = folds[one[0]][one[1]], folds[other[0]][other[1]]
    _exchange(folds, one, other)
    cost = _count_crowding(folds, labels)
    _exchange(folds, one, other)
    first, second = (volumes.get(name, 0.0) for name in names)
    return cost, (first == 0) != (second == 0), abs(first - second), *names, swap


def _exchange(folds: list[list[str]], one: Place, other: Place) -> None:
    (f, n), (g, m) = one, other
    folds[f][n], folds[g][m] = folds[g][m], folds[f][n]


def _count_crowding(folds: Sequence[Sequence[str]], labels: Holding) -> int:
    """Patients that would have to move: second ones of a rare label in a fold, and where a fold holds out all."""
    return sum(_count_excess(counts) for counts in _count_holders(folds, labels).values())


def _count_excess(counts: Sequence[int]) -> int:
    total = sum(counts)
    if total < 2:
        return 0
    if total <= len(counts):
        return sum(max(0, count - 1) for count in counts)
    return int(max(counts) == total)


def _count_holders(folds: Sequence[Sequence[str]], labels: Holding) -> dict[str, list[int]]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * len(folds))
    for number, fold in enumerate(folds):
        for name in fold:
            for label in labels.get(name, ()):
                counts[label][number] += 1
    return counts


def _is_crowded(name: str, folds: Sequence[Sequence[str]], labels: Holding) -> bool:
    holders = _count_holders(folds, labels)
    return any(_count_excess(holders[label]) for label in labels.get(name, ()))


def find_rare(labels: Holding, count: int, folds: Sequence[Sequence[str]] | None = None) -> Iterator[Finding]:
    """Labels that so few patients hold that folds can't both learn them and be scored on them.

    Args:
        labels: of each patient.
        count: of folds.
        folds: patients that each holds out, where that is settled already.
    """
    holders: dict[str, list[str]] = defaultdict(list)
    for patient, own in sorted(labels.items()):
        for name in own:
            holders[name].append(patient)
    for name, patients in sorted(holders.items()):
        alone = [n for n, fold in enumerate(folds or ()) if len(patients) > 1 and set(patients) <= set(fold)]
        subject, several = f"label {name}", f"{len(patients)} patients have it"
        if len(patients) == 1 and len(labels) > 1:
            said = f"only the patient {patients[0]} has it, so that no network both learns it and is scored on it"
            yield make_finding("label-rare", subject, said, "add patients who have it, or leave the label out")
        elif alone:
            said = f"{several}, all of whom fold {alone[0]} holds out, so that it trains without the label"
            yield make_finding("label-rare", subject, said, "spread them over the folds")
        elif len(patients) < count:
            said = f"{several}, so that {count - len(patients)} of {count} folds hold out nobody who has it"
            yield make_finding("label-rare", subject, said, severity="note")
