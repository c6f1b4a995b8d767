"""Verbs about scores: evaluate and evaluate_masks."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, Unpack

from medunet.api.arguments import Above, verb
from medunet.errors import InputError
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.bundle import Bundle, ForeignBundle
    from medunet.evaluation import Choice, Naming, Pairs, Scores, Wanted
    from medunet.labels import LabelTable
    from medunet.report import Gallery

    Names = Mapping[int, str] | Sequence[str] | LabelTable | None

LOGGER = logging.getLogger(__name__)
Tolerance = Annotated[float, Above(0, equal=True)]


class Scoring(TypedDict, total=False):
    """How masks are scored.

    `missing`: what it means that a truth has nothing of a label, where no table says what is `contoured`: there is none
    (absent), or nobody looked for it (unknown), so that it isn't scored in that case. `full`: the page's viewer holds
    all cases, whole and on their own grids, however large that makes it.
    """

    missing: Literal["absent", "unknown"]
    full: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a bundle beside the floors, or of masks.

    Attributes:
        scores: by method, case and label.
        table: their summary, as lines of text.
        report: the HTML page.
        picture: the overview.
        spreadsheet: the scores as a CSV.
    """

    scores: "Scores"
    table: str
    report: Path
    picture: Path
    spreadsheet: Path


@verb
def evaluate(
    bundle: PathLike,
    *,
    cohort: PathLike | None = None,
    predictions: PathLike | None = None,
    output: PathLike | None = None,
    calibrate: bool = False,
    full: bool = False,
    trust: bool = False,
) -> Evaluation:
    """Score a bundle on patients that it wasn't trained on, beside floors that don't learn.

    An ensemble of folds is scored on all held-out patients, each by the network that never saw it.

    Args:
        bundle: a trained bundle with its training cohort, on which the floors are fitted.
        cohort: other patients in place of the held-out ones.
        predictions: folder of `<case>.nii.gz` or `<case>.png` from `predict`; they are predicted now if not given.
        output: folder for scores, pictures and page; `work/evaluation` of the bundle if not given, where an earlier
            one is kept with its date behind its name.
        calibrate: fit a temperature on the held-out patients and keep it in the bundle, whose probabilities, scores of
            confidence and thresholds it changes; masks stay as they are.
        full: the page's viewer holds all cases, whole and on their own grids, however large that makes it.
        trust: as of `predict`.

    Raises:
        MissingInputError: the cohort, `predictions` or some of its masks aren't there.
        OutputExistsError: the output exists.
        ResourceError: its folder can't be written to.
        InputError: a patient was in training, or the bundle can't be calibrated on these.
    """
    from medunet.bundle import open_any_bundle
    from medunet.evaluation import choose_cases
    from medunet.files import check_free, check_input, check_writable, whole_folder
    from medunet.report import Gallery, describe_scores

    opened = open_any_bundle(_locate(bundle, output), trust=trust)
    opened.trained()  # or refused before anything is written
    given, others = (Path(path) if path is not None else None for path in (predictions, cohort))
    for path in filter(None, (others, given)):
        check_input(path)
    target = Path(output) if output is not None else opened.work / "evaluation"
    check_writable(target.parent, target) if output is None else check_free(target)
    choices = choose_cases(opened, others)
    if calibrate:
        opened = _calibrate(opened, choices, given or others)
    with whole_folder(target, keep_earlier=output is None) as part:
        gallery = Gallery(objects=opened.task.labels.objects, most=inf, full=full)
        scores = _score_bundle(opened, choices, given, gallery, part)
    return _list_files(scores, describe_scores(scores, [choice.cases for choice in choices]), target)


def _locate(bundle: PathLike, output: PathLike | None) -> Path:
    """The folder of a bundle, in which scores lie where no output is given."""
    from medunet.bundle import locate_bundle

    folder = locate_bundle(Path(bundle))
    if output is None and folder != Path(bundle):
        found = "it comes with medunet, so that scores can't lie in it"
        raise InputError(bundle, found, "name a folder for them with --output", code="option-wrong")
    return folder


def _score_bundle(
    bundle: "Bundle | ForeignBundle", choices: "Sequence[Choice]", given: Path | None, gallery: "Gallery", folder: Path
) -> "Scores":
    """Score a bundle on chosen cases and write what comes of it into a folder."""
    from medunet.bundle import find_calibration
    from medunet.cross_validation import score_choices
    from medunet.report import write_pages, write_worst

    scores = score_choices(bundle, choices, given, gallery)
    _write_scores(folder, scores)
    calibration = find_calibration(bundle.folder, bundle.metadata)
    write_pages(folder, bundle.metadata, scores, gallery, _describe_plan(bundle.folder), calibration)
    write_worst(folder, scores, gallery.list_pictures())
    return scores


def _calibrate(bundle: "Bundle | ForeignBundle", choices: "Sequence[Choice]", given: Path | None) -> "Bundle":
    """Fit a temperature on held-out patients and keep it in the bundle, which is opened again."""
    from medunet.bundle import ForeignBundle, open_bundle, write_calibration
    from medunet.calibrating import calibrate_bundle

    if given is not None or isinstance(bundle, ForeignBundle):
        found = "a temperature is fitted on held-out patients of a bundle's own training"
        remedy = "leave it out" if given is None else f"leave it out, or leave {given} out"
        raise InputError("--calibrate", found, remedy, code="option-wrong")
    record = calibrate_bundle(bundle, choices)
    write_calibration(bundle.folder, record)
    LOGGER.info("%s: %s", bundle.folder, record.describe())
    return open_bundle(bundle.folder, trust=bundle.trust)


def _describe_plan(folder: Path) -> str:
    """What a bundle of medunet's was planned to be; nothing of one from elsewhere."""
    from medunet.planning import Plan
    from medunet.records import read_record

    path = folder / "configs" / "plan.json"
    if not path.is_file():
        return ""
    plan = read_record(path, Plan)
    patch, spacing = (" × ".join(f"{n:.3g}" for n in numbers) for numbers in (plan.window.patch, plan.grid.spacing_mm))
    unit = "mm" if plan.task.unit == "mm" else "pixels"
    return f"{plan.network.dims}D, patches of {patch} voxels of {spacing} {unit}"


def _write_scores(folder: Path, scores: "Scores") -> None:
    """Write scores, what they come to, and both as a table."""
    from medunet.evaluation import Summary, summarize
    from medunet.records import write_record
    from medunet.report import write_spreadsheet

    write_record(folder / "scores.json", scores)
    write_record(folder / "summary.json", Summary(rows=tuple(summarize(scores))))
    write_spreadsheet(folder / "scores.csv", scores)


def _list_files(scores: "Scores", table: str, target: Path) -> Evaluation:
    return Evaluation(scores, table, *(target / name for name in ("report.html", "overview.png", "scores.csv")))


@verb
def evaluate_masks(  # noqa: PLR0913 - its options have names
    predictions: PathLike | None = None,
    truth: PathLike | None = None,
    *,
    images: PathLike | None = None,
    table: PathLike | None = None,
    labels: "Mapping[int, str] | Sequence[str] | LabelTable | None" = None,
    prediction_labels: "Mapping[int, str] | Sequence[str] | LabelTable | None" = None,
    tolerance_mm: Tolerance | Mapping[str, float] = 2.0,
    output: PathLike = "evaluation",
    **how: Unpack[Scoring],
) -> Evaluation:
    """Score masks against masks, whoever made them; neither a bundle nor images are needed.

    A case is what has one name in both folders. A prediction that isn't there counts as a mask without a voxel; it is
    listed, as are predictions without a truth, and cases that can't be scored, of which the others are.

    Args:
        predictions: folder of masks: NIfTI, NRRD, MHA, PNG, DICOM SEG or RTSTRUCT, or a folder that holds one such
            file, and perhaps the series that it was drawn on.
        truth: folder of masks that count as right.
        images: folder of what they were made on, by the same names: files, or folders of a series. Contours on both
            sides need them, others are shown on them.
        table: CSV with the columns `case`, `pred`, `truth` (and `image`), in place of folders; `patient`;
            `contoured`, names of the labels that were looked for in the truth; any others are kept with the scores.
        labels: names of values of label maps, `{1: "tumor"}` or names of 1, 2, …; of contours and segments those that
            count. What files say if not given. A table may also give regions, a value to ignore, or number objects.
        prediction_labels: the same of predictions, where they are numbered otherwise.
        tolerance_mm: of NSD; or of each label by its name, those not named have 2.
        output: folder for scores and page.
        how: `missing`, `full`; see `Scoring`.

    Raises:
        MissingInputError: a folder or a table isn't there, or there is no truth.
        OutputExistsError: the output exists.
        InputError: two masks of one folder have one name.
        MedunetError: no case can be scored.
    """
    from medunet.evaluation import find_pairs
    from medunet.files import check_free

    given = [None if path is None else Path(path) for path in (predictions, truth, images, table)]
    pairs = find_pairs(*given)
    check_free(Path(output))
    wanted = replace(_make_wanted(labels, prediction_labels, tolerance_mm), missing=how.get("missing", "absent"))
    return _score(pairs, wanted, Path(output), full=how.get("full", False))


def _make_wanted(labels: "Names", prediction_labels: "Names", tolerance_mm: float | Mapping[str, float]) -> "Wanted":
    from medunet.evaluation import Wanted

    ours = _make_naming(labels)
    theirs = ours if prediction_labels is None else _make_naming(prediction_labels)
    if not isinstance(tolerance_mm, Mapping):
        return Wanted(ours, theirs, tolerance_mm)
    if not all(0 <= value < inf for value in tolerance_mm.values()):
        found = f"tolerance_mm is {dict(tolerance_mm)}"
        raise InputError("medunet.evaluate_masks", found, "give distances from 0 on", code="option-wrong")
    return Wanted(ours, theirs, tolerances_mm=tolerance_mm)


def _score(pairs: "Pairs", wanted: "Wanted", target: Path, *, full: bool) -> Evaluation:
    """Score masks and write what comes of it into a folder."""
    from medunet.evaluation import score_pairs
    from medunet.files import whole_folder
    from medunet.report import Gallery, Shown, describe_scores, write_overview, write_report

    title = "Evaluation of masks"
    with whole_folder(target) as part:
        gallery = Gallery(objects=wanted.truth.objects, full=full)
        scores = score_pairs(pairs, wanted, gallery.add)
        _write_scores(part, scores)
        pictures = gallery.list_pictures()
        write_report(part / "report.html", title, scores, Shown(pictures, gallery.list_cases()), {})
        write_overview(part / "overview.png", title, scores, pictures)
    return _list_files(scores, describe_scores(scores, []), target)


def _make_naming(labels: "Names") -> "Naming":
    from medunet.evaluation import Naming
    from medunet.labels import LabelTable

    if isinstance(labels, LabelTable):
        return Naming.from_table(labels)
    if labels is None or isinstance(labels, Mapping):
        return Naming(labels)
    return Naming(dict(enumerate(labels, 1)))
