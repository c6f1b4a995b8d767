"""Verbs about scores: evaluate."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medunet.api.arguments import verb
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.evaluation import Scores


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a bundle beside the floors.

    Attributes:
        scores: by method, case and label.
        table: their summary, as lines of text.
        report: the HTML page.
        picture: the overview.
    """

    scores: "Scores"
    table: str
    report: Path
    picture: Path


@verb
def evaluate(
    bundle: PathLike,
    *,
    cohort: PathLike | None = None,
    predictions: PathLike | None = None,
    output: PathLike | None = None,
    trust: bool = False,
) -> Evaluation:
    """Score a bundle on patients that it wasn't trained on, beside floors that don't learn.

    An ensemble of folds is scored on all held-out patients, each by the network that never saw it.

    Args:
        bundle: a trained bundle with its training cohort, on which the floors are fitted.
        cohort: other patients to score instead of the held-out ones of the trained fold.
        predictions: folder of `<case>.nii.gz` or `<case>.png` from `predict`; they are predicted now if not given.
        output: folder for scores, pictures and page; `work/evaluation` of the bundle if not given.
        trust: as of `predict`.

    Raises:
        MissingInputError: the cohort, `predictions` or some of its masks aren't there.
        OutputExistsError: the output exists.
        ResourceError: its folder can't be written to.
        InputError: a patient was in training.
    """
    from medunet.bundle import open_any_bundle
    from medunet.cross_validation import score_choices
    from medunet.evaluation import choose_cases
    from medunet.files import check_free, check_input, whole_folder
    from medunet.records import write_record
    from medunet.report import describe_scores, write_pages

    opened = open_any_bundle(Path(bundle), trust=trust)
    opened.trained()  # or refused before anything is written
    given = Path(predictions) if predictions is not None else None
    others = Path(cohort) if cohort is not None else None
    for path in filter(None, (others, given)):
        check_input(path)
    target = Path(output) if output is not None else opened.work / "evaluation"
    check_free(target)
    choices = choose_cases(opened, others)
    with whole_folder(target) as part:
        scores, pictures = score_choices(opened, choices, given)
        write_record(part / "scores.json", scores)
        write_pages(part, opened.metadata, scores, pictures)
    table = describe_scores(scores, [choice.cases for choice in choices])
    return Evaluation(scores, table, target / "report.html", target / "overview.png")
