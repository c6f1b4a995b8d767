"""Intervals, medians and quartiles over patients: for the page, and as lines of text."""

from collections.abc import Callable, Sequence

from medunet.evaluation.intervals import NEEDED, Distribution, is_short
from medunet.evaluation.scores import Scores
from medunet.evaluation.summary import SummaryRow
from medunet.report.sheet import write_length, write_percent, write_share, write_table

Write = Callable[[float | None], str]
KINDS: dict[str, tuple[str, Write]] = {
    **{"precision": ("AP", write_share), "panoptic": ("PQ", write_share)},
    **{"dice": ("Dice", write_share), "iou": ("IoU", write_share), "nsd": ("NSD", write_share)},
    **{"sensitivity": ("sensitivity", write_share), "voxel_precision": ("precision", write_share)},
    **{"hd95_mm": ("HD95 {unit}", write_length), "assd_mm": ("ASSD {unit}", write_length)},
    **{"volume_error": ("volume error", write_percent), "lesion_f1": ("F1 of a case", write_share)},
}
"""What measures are called, and how their values are written, in order."""
SHORT = (
    f"Of fewer than {NEEDED} patients intervals may hold less often than they say: of skewed scores 92 to 94 in 100 at "
    "8 patients and 94 to 96 at 20; where one patient in ten is missed entirely 69 and 87, since small cohorts show "
    "too few of them."
)
"""What was measured by `workflows/claims/interval_coverage.py`."""


def write_interval(row: SummaryRow, key: str) -> str:
    """The interval of a mean, as HTML below it; nothing where there is none."""
    found = row.distributions.get(key)
    if found is None or found.low is None:
        return ""
    write = KINDS[key][1]
    return f'<p class="name">95 %: {write(found.low)} to {write(found.high)}</p>'


def write_distributions(row: SummaryRow, scores: Scores) -> str:
    """The table of a method's measures over patients, as HTML; nothing where there are none."""
    known = [(KINDS[key], row.distributions[key]) for key in KINDS if key in row.distributions]
    if not known:
        return ""
    cells = [
        [name.format(unit=scores.unit), str(found.patients), *_write(found, write)] for (name, write), found in known
    ]
    head = ["measure", name_subjects(scores), "mean", "95 % of the mean", "median", "quartiles", "interval by"]
    table = write_table(f"{row.method} over {name_subjects(scores)}", head, cells)
    return f"{table}<p>{SHORT}</p>" if is_short([found for _, found in known]) else table


def name_subjects(scores: Scores) -> str:
    """What is taken to be drawn at random: patients where they are known, else cases."""
    return "patients" if scores.patients else "cases"


def _write(found: Distribution, write: Write) -> list[str]:
    between = "–" if found.low is None else f"{write(found.low)} to {write(found.high)}"
    quartiles = f"{write(found.lower_quartile)} to {write(found.upper_quartile)}"
    return [write(found.mean), between, write(found.median), quartiles, found.method]


def list_intervals(rows: Sequence[SummaryRow], scores: Scores) -> list[str]:
    """A line for each label of the first method, and a warning where patients are few; nothing without an interval."""
    first, key = next(iter(scores.methods)), "precision" if scores.objects else "dice"
    known = [(row, row.distributions[key]) for row in rows if row.method == first and key in row.distributions]
    name, subjects = KINDS[key][0], name_subjects(scores)
    lines = [
        f"{row.label}: 95 % of the mean {name} {found.low:.3f} to {found.high:.3f} by {found.patients} {subjects}; "
        f"median {found.median:.3f}, quartiles {found.lower_quartile:.3f} and {found.upper_quartile:.3f}"
        for row, found in known
        if found.low is not None and found.high is not None
    ]
    return [*lines, SHORT] if lines and is_short([found for _, found in known]) else lines
