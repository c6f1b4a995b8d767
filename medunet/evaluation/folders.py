"""Score masks against masks, whoever made them: no bundle, no plan, no image is needed."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from medunet.cohort.cases import Missing
from medunet.errors import MedunetError
from medunet.evaluation.masks import CaseMasks, Naming, rank_value, read_masks
from medunet.evaluation.pairing import Pairing, Refused
from medunet.evaluation.pairs import Pairs
from medunet.evaluation.scores import CaseScore, Scores, score_case
from medunet.evaluation.unknown import mark_unknown
from medunet.evaluation.voxels import TOLERANCE_MM
from medunet.findings import warn
from medunet.labels import simplify_name
from medunet.progress import track
from medunet.records import suggest

METHOD = "prediction"
"""What the masks in question are called."""
Look = Callable[[str, CaseMasks, tuple[CaseScore, ...]], None]
"""Takes a scored case: its name, its masks and its scores."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How masks are scored.

    Attributes:
        truth: of values of the truth.
        predictions: of those of predictions.
        tolerance_mm: of NSD.
        tolerances_mm: of labels that have their own.
        missing: what it means that a truth has nothing of a label, where a table doesn't say what is contoured.
    """

    truth: Naming = field(default_factory=Naming)
    predictions: Naming = field(default_factory=Naming)
    tolerance_mm: float = TOLERANCE_MM
    tolerances_mm: Mapping[str, float] = field(default_factory=dict)
    missing: Missing = "absent"


def score_pairs(pairs: Pairs, wanted: Wanted, look: Look) -> Scores:
    """Score all cases, one in memory at a time; what can't be scored is listed.

    Args:
        pairs: the cases.
        wanted: how.
        look: is handed each case once it is scored.

    Raises:
        MedunetError: no case can be scored; the first reason.
    """
    scores: list[CaseScore] = []
    refused: list[Refused] = []
    looked_for: dict[str, Collection[str] | None] = {}
    first: MedunetError | None = None
    left_out: Counter[str] = Counter()
    units = set()
    for pair in track(pairs.pairs, "scoring cases", len(pairs.pairs)):
        try:
            masks = read_masks(pair, wanted.truth, wanted.predictions)
            masks = mark_unknown(masks, pair, wanted.truth, wanted.missing)
            found = _score(pair.case, masks, wanted)
        except MedunetError as error:
            first = first or error
            refused.append(Refused(case=pair.case, code=error.code, reason=str(error)))
            warn(error.code, f"case {pair.case}", f"it isn't scored: {error}")
            continue
        scores += found
        looked_for[pair.case] = () if pair.contoured is None and wanted.missing == "unknown" else pair.contoured
        left_out.update(masks.left_out)
        units.add(masks.parts[0][1].grid.unit)
        look(pair.case, masks, found)
    if first is not None and len(refused) == len(pairs.pairs):
        raise first
    return Scores(
        tolerance_mm=wanted.tolerance_mm,
        tolerances_mm=_name_tolerances(wanted.tolerances_mm, scores),
        unit="px" if units == {"px"} else "mm",
        objects=wanted.truth.objects,
        patients=dict(pairs.patients),
        pairing=_describe(pairs, refused, left_out),
        methods={METHOD: tuple(_fill(scores, looked_for, wanted))},
    )


def _score(case: str, masks: CaseMasks, wanted: Wanted) -> tuple[CaseScore, ...]:
    names = [region.name for _, truth in masks.parts for region in truth.table.structures]
    own = {simplify_name(name): tolerance for name, tolerance in wanted.tolerances_mm.items()}
    tolerances = {name: own[simplify_name(name)] for name in names if simplify_name(name) in own}
    return tuple(
        score
        for predicted, truth in masks.parts
        for score in score_case(predicted, truth, case, wanted.tolerance_mm, tolerances)
    )


def _name_tolerances(tolerances: Mapping[str, float], scores: list[CaseScore]) -> dict[str, float]:
    """Tolerances by the names of the labels that were scored; one of no such label is told of."""
    labels = {simplify_name(score.label): score.label for score in scores}
    for name in tolerances:
        if simplify_name(name) not in labels:
            warn("label-unknown", f"tolerance of {name}", "no label is called so", suggest(name, [*labels.values()]))
    return {labels[key]: value for name, value in tolerances.items() if (key := simplify_name(name)) in labels}


def _fill(scores: list[CaseScore], looked_for: Mapping[str, Collection[str] | None], wanted: Wanted) -> list[CaseScore]:
    """Where nobody named values, a label map that lacks one of the others' lacks that label; values are in order.

    Of a case that says what was looked for these labels alone are added.
    """
    if wanted.truth.values is not None or wanted.truth.objects:
        return scores
    held: dict[str, set[str]] = {case: set() for case in looked_for}
    for score in scores:
        held[score.case].add(score.label)
    values = [label for label in dict.fromkeys(score.label for score in scores) if label.isdecimal()]
    nothing: dict[str, Any] = {"dice": None, "nsd": None, "truth_ml": 0.0, "predicted_ml": 0.0, "false_ml": 0.0}
    nothing |= dict.fromkeys(("found", "missed", "false_found"), 0)
    added = [
        CaseScore(case=case, label=label, **nothing)
        for case, labels in held.items()
        for label in values
        if label not in labels and not labels - set(values) and _is_known(label, looked_for[case])
    ]
    places = {case: place for place, case in enumerate(looked_for)}
    return sorted([*scores, *added], key=lambda score: (places[score.case], *rank_value(score.label)))


def _is_known(label: str, looked_for: Collection[str] | None) -> bool:
    return looked_for is None or label in looked_for


def _describe(pairs: Pairs, refused: list[Refused], left_out: Counter[str]) -> Pairing:
    wrong = {item.case for item in refused}
    return Pairing(
        missing=tuple(pair.case for pair in pairs.pairs if pair.prediction is None and pair.case not in wrong),
        unpaired=pairs.unpaired,
        refused=tuple(refused),
        left_out=tuple(f"{what}, in {count} case{'s' if count > 1 else ''}" for what, count in left_out.items()),
        columns={case: dict(row) for case, row in pairs.columns.items()},
    )
