"""Score the cases of a cohort, with one case in memory at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medunet.cohort import Case, Cohort, open_case
from medunet.confidence import Trust
from medunet.evaluation.fitting import Floors, read_case, separate_parts
from medunet.evaluation.floors import Image
from medunet.evaluation.scores import CaseScore, Scores, score_case
from medunet.evaluation.spread import CrossValidation, summarize_folds
from medunet.findings import warn
from medunet.labels import Mask
from medunet.progress import track
from medunet.reading import Volume


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCase:
    """A case that was scored; all of it lies on one grid.

    Attributes:
        case: of the cohort.
        volume: its first channel.
        images: intensities (I, J, K) of all channels.
        truth: its labels.
        mask: what was predicted.
        scores: of its labels, of the first method.
    """

    case: Case
    volume: Volume
    images: Mapping[str, Image]
    truth: Mask
    mask: Mask
    scores: tuple[CaseScore, ...]


Show = Callable[[ScoredCase], None]
"""Takes a scored case."""


def score_cases(
    cohort: Cohort, cases: Sequence[Case], floors: Floors, predict: Callable[[Case, Mask], Mask], show: Show
) -> Scores:
    """Score predictions and floors on the same cases.

    Args:
        cohort: of the cases.
        cases: with labels.
        floors: from `fit_floors`.
        predict: gives the mask of a case, on the grid of its truth.
        show: is handed each case once it is scored, for pictures.

    Returns:
        Scores by method, "medunet" first, and of objects second "components", the connected parts of its foreground.
    """
    objects = cohort.labels.objects
    names = ("medunet", *(("components",) if objects else ()), *floors.methods)
    methods: dict[str, list[CaseScore]] = {name: [] for name in names}
    trust: dict[str, dict[str, Trust]] = {}
    for case in track(cases, "scoring cases", len(cases)):
        volume, images, truth = read_case(cohort, case)
        mask = predict(case, truth)
        own = score_case(mask, truth, case.id)
        methods["medunet"] += own
        if objects:
            methods["components"] += score_case(separate_parts(mask), truth, case.id)
        for name, floor in floors.methods.items():
            methods[name] += score_case(floor.predict(images, truth), truth, case.id)
        for name, word in list_trust(mask):
            trust.setdefault(name, {})[case.id] = word
        show(ScoredCase(case, volume, images, truth, mask, own))
    _tell_missing(cohort, cases, methods["medunet"])
    by_method = {name: tuple(scores) for name, scores in methods.items()}
    patients = {case.id: case.patient for case in cases}
    return Scores(unit=volume.grid.unit, objects=objects, patients=patients, trust=trust, methods=by_method)


def list_trust(mask: Mask) -> Iterator[tuple[str, Trust]]:
    """Name of each label or region with how far its mask can be relied on; that of the scan where that has reasons."""
    sure = mask.confidence
    if sure is not None:
        yield from ((item.name, sure.trust if sure.reasons else item.trust) for item in sure.structures)


def _tell_missing(cohort: Cohort, cases: Sequence[Case], scores: Sequence[CaseScore]) -> None:
    """Warn where some cases have nothing of a label that others have, and nothing says what that means."""
    open_cases = {case.id for case in cases if case.contoured is None}
    lacking = {score.label for score in scores if score.case in open_cases and not score.truth_ml}
    held = {score.label for score in scores if score.truth_ml}
    if cohort.missing is None and len(cohort.labels.names) > 1 and (names := sorted(lacking & held)):
        found = f"some cases have nothing of {', '.join(names)}, which counts as that there is none"
        warn("label-unsaid", "cohort", found, 'say "missing": "absent" or "unknown" in its cohort.json')


def score_masks(
    cohort: Cohort, folds: Sequence[Sequence[Case]], find_mask: Callable[[int, Case, Mask], Mask]
) -> CrossValidation:
    """Score a mask of every held-out case.

    Args:
        cohort: of the cases.
        folds: held-out cases of each fold; none twice.
        find_mask: gives the mask of a fold's case on the grid of its truth.
    """
    scores: list[CaseScore] = []
    pairs = [(fold, case) for fold, cases in enumerate(folds) for case in cases]
    for fold, case in track(pairs, "scoring cases", len(pairs)):
        first, truth = open_case(cohort, case)
        scores += score_case(find_mask(fold, case, truth), truth, case.id)
    return summarize_folds(
        Scores(unit=first.grid.unit, objects=cohort.labels.objects, methods={"medunet": tuple(scores)}), folds
    )
