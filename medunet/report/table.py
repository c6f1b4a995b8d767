"""The summary of scores as lines of text, for a terminal."""

from collections.abc import Sequence

from medunet.cohort import Case
from medunet.evaluation.scores import Scores
from medunet.evaluation.spread import CrossValidation, summarize_folds
from medunet.evaluation.summary import FEW, summarize
from medunet.report.distributions import list_intervals


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
    parts = "objects" if scores.objects else parts
    precise = f" {'AP':>6} {'AP 0.5':>7}" if scores.objects else ""
    nsd = "NSD" if scores.tolerances_mm else f"NSD {scores.tolerance_mm:g}{scores.unit}"
    false, far = f"false {volume}", f"HD95 {scores.unit}"
    lines = [
        f"{'label':12} {'method':10} {'cases':>7}{precise} {'Dice':>6} {nsd:>8} {far:>8} {'found':>6} {'missed':>7} "
        f"{'false':>6} {false:>9}"
    ]
    rows = summarize(scores)
    for row in rows:
        values = (row.precision, row.precision_50, row.dice, row.nsd)
        average, first_step, dice, surface = ("-" if value is None else f"{value:.3f}" for value in values)
        distance = "-" if row.hd95_mm is None else f"{row.hd95_mm:.1f}"
        precise = f" {average:>6} {first_step:>7}" if scores.objects else ""
        holding = f"{row.holding}/{row.cases}"
        lines.append(
            f"{row.label:12} {row.method:10} {holding:>7}{precise} {dice:>6} {surface:>8} {distance:>8} {row.found:>6} "
            f"{row.missed:>7} {row.false_found:>6} {row.false_ml:>9.{digits}f}"
        )
    lines.append(f"cases: those that hold the label, over which the means are, of all; {parts} and {volume} over all")
    lines += _list_pairing(scores)
    if scores.seen:
        lines.append(f"seen in training, so that their scores prove nothing: {', '.join(scores.seen)}")
    if scores.objects:
        lines.append(
            "AP: precision TP / (TP + FP + FN) of objects, averaged over IoU 0.50 to 0.95; found and false at 0.50; "
            "components: connected parts of the same foreground"
        )
    lines += list_intervals(rows, scores)
    few = {row.label: row.holding for row in rows if row.few and row.cases >= FEW}
    if few:
        held = ", ".join(f"{label} ({count})" for label, count in few.items())
        lines.append(f"held by fewer than {FEW} cases, so that their means say little: {held}")
    return "\n".join(lines)


def _list_pairing(scores: Scores) -> list[str]:
    """What of given masks is missing, left or refused, a line each, and tolerances of labels."""
    own = ", ".join(f"{label} {value:g} {scores.unit}" for label, value in scores.tolerances_mm.items())
    lines = [f"NSD at {scores.tolerance_mm:g} {scores.unit}, but {own}"] if own else []
    if (pairing := scores.pairing) is None:
        return lines
    said = (("no prediction, counted as missed", pairing.missing), ("no truth, not scored", pairing.unpaired))
    lines += [f"{head} ({len(names)}): {', '.join(names)}" for head, names in said if names]
    lines += [f"not scored: {item.case}: {item.reason}" for item in pairing.refused]
    return [*lines, *(f"left out: {what}" for what in pairing.left_out)]


def write_spread(validation: CrossValidation) -> str:
    """A line for each label, as text: mean and standard deviation over patients, and the means of the folds."""
    nsd = f"NSD {validation.scores.tolerance_mm:g}{validation.scores.unit} ± sd"
    lines = [f"{'label':12} {'patients':>8} {'Dice ± sd':>15} {'lowest':>7} {nsd:>17}  Dice of each fold"]
    for row in validation.summary:
        pairs = zip(row.fold_dice, row.fold_patients, strict=True)
        folds = " ".join(f"{_share(dice)} ({count})" for dice, count in pairs)
        lines.append(
            f"{row.label:12} {row.patients:>8} {_share(row.dice):>7} ± {_share(row.dice_sd):>5} "
            f"{_share(row.dice_lowest):>7} {_share(row.nsd):>9} ± {_share(row.nsd_sd):>5}  {folds}"
        )
    lines.append("over the patients that hold the label, each by the network that was trained without it")
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
