"""The summary of scores as lines of text, for a terminal."""

from collections.abc import Sequence

from medunet.cohort import Case
from medunet.evaluation.scores import Scores, summarize
from medunet.evaluation.spread import summarize_folds, write_spread


def describe_scores(scores: Scores, folds: Sequence[Sequence[Case]]) -> str:
    """The summary, and below it the spread over patients where there are several folds.

    Args:
        scores: of the cases of all folds.
        folds: held-out cases of each.
    """
    table = write_table(scores)
    return table if len(folds) < 2 else f"{table}\n\n{write_spread(summarize_folds(scores, folds))}"


def write_table(scores: Scores) -> str:
    """A line for each label and method, and what the numbers are means and totals of.

    Args:
        scores: lengths and volumes are named in mm and mL, or in pixels where the images have no physical size.
    """
    parts, volume, digits = ("lesions", "mL", 1) if scores.unit == "mm" else ("parts", "px", 0)
    nsd, false = f"NSD {scores.tolerance_mm:g}{scores.unit}", f"false {volume}"
    lines = [f"{'label':12} {'method':10} {'Dice':>6} {nsd:>8} {'found':>6} {'missed':>7} {'false':>6} {false:>9}"]
    rows = summarize(scores)
    for row in rows:
        dice, surface = ("-" if value is None else f"{value:.3f}" for value in (row.dice, row.nsd))
        lines.append(
            f"{row.label:12} {row.method:10} {dice:>6} {surface:>8} {row.found:>6} {row.missed:>7} "
            f"{row.false_found:>6} {row.false_ml:>9.{digits}f}"
        )
    first = rows[0]
    lines.append(
        f"means over the {first.holding} of {first.cases} cases that hold the label; {parts} and {volume} over all"
    )
    return "\n".join(lines)
