"""Labels of a truth that nobody looked for: no contours don't say that a structure isn't there, so it isn't scored."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from medunet.cohort.cases import Missing
from medunet.errors import LabelError
from medunet.evaluation.masks import CaseMasks, Naming
from medunet.evaluation.pairs import Pair
from medunet.labels import Mask, simplify_name


def mark_unknown(masks: CaseMasks, pair: Pair, naming: Naming, missing: Missing = "absent") -> CaseMasks:
    """Tell the truth of a case which of its labels nobody looked for; they aren't scored.

    Args:
        masks: of the case.
        pair: the case, which may say what is contoured in it.
        naming: of values of the truth, whose regions are known where all their labels are.
        missing: what it means of a case that doesn't say so that its truth has nothing of a label.

    Raises:
        LabelError: a label has voxels of which the case says that nobody looked for it.
    """
    if pair.contoured is None and missing == "absent":
        return masks
    looked_for = None if pair.contoured is None else {simplify_name(name) for name in pair.contoured}
    members = _list_members(naming)
    parts, names = [], dict[str, None]()
    for predicted, truth in masks.parts:
        unknown = _find_unknown(truth, pair, looked_for, members)
        parts.append((predicted, replace(truth, unknown=tuple(unknown))))
        names |= dict.fromkeys(unknown.values())
    told = tuple(f"{name}, which nobody looked for" for name in names)
    return replace(masks, parts=tuple(parts), left_out=(*masks.left_out, *told))


def _list_members(naming: Naming) -> dict[str, tuple[str, ...]]:
    """Names of the labels that each region consists of."""
    values = naming.values or {}
    return {region.name: tuple(values[value] for value in region.values) for region in naming.regions}


def _find_unknown(
    truth: Mask, pair: Pair, looked_for: set[str] | None, members: Mapping[str, tuple[str, ...]]
) -> dict[int, str]:
    counts = truth.count_values()
    labels = truth.table.labels
    if looked_for is None:
        return {label.value: label.name for label in labels if not counts[label.value]}
    unknown = {
        label.value: label.name
        for label in labels
        if not _are_among(members.get(label.name, (label.name,)), looked_for)
    }
    if drawn := [name for value, name in unknown.items() if counts[value]]:
        found = f"it has voxels of {', '.join(drawn)}, of which the table says that nobody looked for it"
        raise LabelError(pair.truth, found, "add it to contoured, or leave that empty", code="labels-differ")
    return unknown


def _are_among(names: Iterable[str], known: set[str]) -> bool:
    return all(simplify_name(name) in known for name in names)
