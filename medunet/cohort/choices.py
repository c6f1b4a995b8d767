"""What the user says of the labels of a cohort, beside what its files say: objects, regions, precedence, values."""

from collections import Counter
from pathlib import Path

from pydantic import Field

from medunet.cohort.cases import Case, Cohort, Missing
from medunet.cohort.lists import ENDINGS
from medunet.errors import InputError, LabelError
from medunet.labels import LabelTable, Region, advise_values, list_unknown_values, map_values
from medunet.progress import track
from medunet.reading import LabelOptions, is_image_file, read_label_map
from medunet.records import suggest

MOST = 20
"""Values that a sentence lists."""
IMAGE = 100
"""Unknown values above which label maps may be images."""


class LabelChoices(LabelOptions):
    """What is said of the labels of a whole cohort; the defaults say nothing."""

    objects: bool = False
    """Label maps number the objects of the only label."""
    regions: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Names of labels that are learnt and scored as one, by the name of the region."""
    missing: Missing | None = None
    """What it means that a case has nothing of a label and doesn't say what is contoured."""


AS_FOUND = LabelChoices()


def choose_labels(cohort: Cohort, choices: LabelChoices, path: Path | str) -> Cohort:
    """Apply what the user says of labels to a cohort; it goes before what the cohort says itself.

    Args:
        cohort: as found.
        choices: of its labels. `objects` is no part of this, since it decides how cases are found, as `missing` does
            for files of structures.
        path: of the cohort, for messages.

    Raises:
        InputError: a region is none of its labels.
        RecordError: precedence or values name what is no label.
    """
    changed = {
        "precedence": choices.precedence or cohort.precedence,
        "label_values": choices.label_values or cohort.label_values,
        "missing": choices.missing or cohort.missing,
        "labels": _join_regions(cohort.labels, choices.regions, path) if choices.regions else cohort.labels,
    }
    chosen = cohort.model_copy(update=changed)
    chosen.label_options.check(chosen.labels, path)
    return chosen


def _join_regions(table: LabelTable, wanted: dict[str, tuple[str, ...]], path: Path | str) -> LabelTable:
    """The table with regions, large ones first; each label that none is called after stays one by itself."""
    values = {label.name: label.value for label in table.labels}
    members = {name: (name,) for name in values} | wanted
    for region, names in wanted.items():
        for name in names:
            if name not in values:
                found = f"the region {region} has the unknown label '{name}'"
                raise InputError(path, found, suggest(name, list(values)), code="label-unknown")
        if region in values and region not in names:
            found = f"the region {region} is called like a label that it doesn't hold"
            raise InputError(path, found, "call it otherwise", code="labels-differ")
    free = set(values.values()) - {values[name] for name in members if name in values}
    regions = []
    for region, names in sorted(members.items(), key=lambda item: -len(item[1])):
        own = [values[name] for name in names]
        value = values.get(region) or next((value for value in own if value in free), None)
        if value is None:
            found = f"the region {region} has no value of its own in label maps"
            raise InputError(path, found, f"call it like one of its labels: {', '.join(names)}", code="labels-differ")
        free.discard(value)
        regions.append(Region(name=region, values=tuple(own), value=value))
    return table.model_copy(update={"regions": tuple(regions)})


def raise_unknown_values(cohort: Cohort, error: LabelError, path: Path) -> None:
    """Tell of all values of all label maps that no label has, in place of those of the first such file.

    Args:
        cohort: its cases.
        error: the refusal of the first; of another kind it is left to whoever has it.
        path: of the cohort, for messages.

    Raises:
        LabelError: there are some, or a file holds no integers.
    """
    if error.code != "label-values":
        return
    counts: Counter[int] = Counter()
    for case in track(cohort.cases, "reading label values", len(cohort.cases)):
        counts.update(_list_values(cohort, case))
    if not counts:
        return
    listed = ", ".join(f"{value} (in {count})" for value, count in sorted(counts.items())[:MOST])
    more = ", …" if len(counts) > MOST else ""
    declared = ", ".join(f"{label.value} {label.name}" for label in cohort.labels.labels)
    swapped = "are image and label swapped? If not, add --objects where they number objects, or "
    remedy = advise_values(counts, cohort.labels, path.name if path.suffix in ENDINGS else "")
    raise LabelError(
        path,
        f"label maps of its {len(cohort.cases)} cases hold values that the label table lacks: {listed}{more}",
        f"{swapped if len(counts) > IMAGE else ''}{remedy}",
        expected=f"0 and {declared}",
        code="label-values",
    ) from error


def _list_values(cohort: Cohort, case: Case) -> list[int]:
    if case.label is None or not is_image_file(Path(case.label.path)):
        return []
    path = case.label.path
    try:
        voxels = read_label_map(Path(path))
    except InputError:
        return []  # It is refused for itself, once values are known.
    return list_unknown_values(map_values(voxels, cohort.label_values, path), cohort.labels, path)


__all__ = ["LabelChoices", "choose_labels", "raise_unknown_values"]
