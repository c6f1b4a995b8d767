"""The cases with the lowest scores: which they are, what went wrong, and small pictures of them."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from medunet.evaluation.scores import CaseScore, Scores
from medunet.evaluation.summary import average_labels
from medunet.report.drawings import CasePicture

SHOWN = 6
"""Cases."""
WIDTH = 400
"""Pixels of a picture."""
FOLDER = "failures"
"""Of the pictures, within that of an evaluation."""
TOO_LARGE = 1.5
"""Times the volume of the truth from which on a mask is too large, and by which it is too small."""


def list_worst(scores: Scores) -> list[str]:
    """Names of the cases with the lowest mean of their labels by the first method, the lowest first."""
    values = average_labels(scores)
    return sorted(values, key=values.__getitem__)[:SHOWN]


def describe_failure(score: CaseScore) -> str:
    """What went wrong with a label, in words."""
    if score.outcome == "missed":
        return "nothing was found"
    if score.outcome == "falsely_found":
        return "found where there is none"
    if score.truth_ml == 0:
        return "rightly empty"
    ratio = score.predicted_ml / score.truth_ml
    said = [f"{ratio:.1f} times the volume"] if not 1 / TOO_LARGE <= ratio <= TOO_LARGE else []
    said += [f"{score.missed} of {score.found + score.missed} missed"] if score.missed else []
    said += [f"{score.false_found} falsely found"] if score.false_found else []
    return ", ".join(said) or "its borders"


def write_worst(folder: Path, scores: Scores, pictures: Sequence[CasePicture]) -> None:
    """Write pictures of the worst cases as `failures/1.jpg` on, the lowest score first, without names of cases.

    Args:
        folder: of an evaluation.
        scores: of the cases.
        pictures: of cases, captioned by their names.
    """
    by_case = {picture.caption: picture for picture in pictures}
    place = folder / FOLDER
    place.mkdir()
    for number, case in enumerate((name for name in list_worst(scores) if name in by_case), start=1):
        shrink(by_case[case].without_title()).save(place / f"{number}.jpg", quality=85)


def shrink(image: Image.Image) -> Image.Image:
    """A picture no broader than is looked at in a card."""
    if image.width <= WIDTH:
        return image
    return image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
