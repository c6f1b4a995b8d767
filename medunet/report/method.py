"""How scores are measured, in the words of the page; docs/reference/measures.md has formulas and sources."""

from html import escape

from medunet.evaluation.scores import Scores

PARTS = (
    "<li><b>{}</b>: what is connected by {} neighbours, so objects that touch are one. "
    "One of the truth is found when the prediction covers at least a tenth of its voxels. A predicted one that "
    "touches none of the truth is falsely found; none is too small to count. F1 is 2 found / (2 found + missed + "
    "falsely found), over all cases.</li>"
)
PRECISION = (
    "<li><b>AP</b>: objects match where their intersection over union (IoU) is above a threshold; the precision is "
    "TP / (TP + FP + FN), averaged over the thresholds 0.50, 0.55, … 0.95 and then over the cases (2018 Data Science "
    "Bowl). Objects are found, missed and falsely found at 0.50, and so is <b>PQ</b>, panoptic quality: F1 times the "
    "mean IoU of matched objects.</li>"
)
COMPONENTS = (
    "<li><b>components</b>: the connected parts of the foreground that the same network found; of floors, too, each "
    "connected part is an object.</li>"
)
FLOORS = (
    "<li><b>Floors</b> need no network: an ellipsoid of the mean place and size, which looks at no image, and "
    "the best threshold, both fitted on training cases. A network that doesn't beat them has learnt little.</li>"
)


def write_method(scores: Scores) -> str:
    """The section of a page that says how its numbers are measured, as HTML."""
    around, area = (26, "area") if scores.unit == "mm" else (8, "length")
    lengths = f"{scores.tolerance_mm:g} {scores.unit}"
    own = ", ".join(f"{label} {value:g} {scores.unit}" for label, value in scores.tolerances_mm.items())
    several = len(scores.methods) > 1
    return (
        "<section><h2>How this is measured</h2><ul>"
        "<li><b>Dice</b>: twice the common voxels over the voxels of both masks, on the grid of the truth; <b>IoU</b> "
        "the common ones over those of either. <b>Sensitivity</b>: share of the truth's voxels that were predicted; "
        "<b>precision</b>: share of the predicted ones that are right.</li>"
        f"<li><b>NSD</b>: the share of the {area} of both surfaces that lies within {escape(lengths)} of the other"
        f"{escape(f' ({own})') if own else ''}. "
        f"<b>HD95</b>: the distance within which 95 % of the {area} of each surface lies from the other, the larger of "
        f"both; <b>ASSD</b>: the mean distance over the {area} of both. "
        "scores.json also has NSD by counting voxels, as nsd_voxels, which depends on spacing and direction.</li>"
        "<li><b>Volume error</b>: predicted minus true volume over the true one, the mean of it, and of its size.</li>"
        "<li><b>Empty masks</b>: where the truth is there and nothing was predicted, Dice, IoU, NSD, sensitivity and "
        "precision are 0, and distances are the diagonal of the image. Where the "
        "truth is empty there is no Dice: what was falsely found is given as a volume, and a case that is rightly "
        "empty is counted apart. Means are over the cases that hold the label.</li>"
        f"{PRECISION if scores.objects else PARTS.format(name_parts(scores).capitalize(), around)}"
        f"{COMPONENTS if scores.objects and several else ''}"
        f"{FLOORS if several else ''}"
        "</ul></section>"
    )


def name_parts(scores: Scores) -> str:
    """What is counted: objects, lesions, or parts of a picture."""
    if scores.objects:
        return "objects"
    return "lesions" if scores.unit == "mm" else "parts"
