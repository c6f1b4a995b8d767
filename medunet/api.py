"""The public verbs, where the parts meet: read, check, export, init, plan, train, predict, evaluate."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from medunet.bundle import Bundle
    from medunet.cohort import Case, Cohort
    from medunet.evaluation import Scores
    from medunet.inference import Box, Outputs, Predictor, Scan
    from medunet.labels import Mask
    from medunet.planning import Memory, Plan
    from medunet.reading import Finding, ReadOptions, Volume

__all__ = [
    "Evaluation",
    "Prediction",
    "check",
    "evaluate",
    "export_cohort",
    "init",
    "plan",
    "predict",
    "read_volume",
    "train",
]

PathLike = str | os.PathLike[str]


def read_volume(
    path: PathLike,
    series: str | None = None,
    *,
    phase: str | None = None,
    assume_rescale: tuple[float, float] | None = None,
    pet: str = "suv",
    prefer: str | None = None,
) -> "Volume":
    """Read a file, or a folder that holds one DICOM series.

    Args:
        path: NIfTI, NRRD, MHA, PNG or DICOM.
        series: SeriesInstanceUID, where a folder holds several.
        phase: which image, where a series holds several at the same places.
        assume_rescale: slope and intercept of a CT whose headers lack them.
        pet: "suv" where the headers allow it, or "stored" for the values in their own unit.
        prefer: "sform" or "qform", where a NIfTI file's two affines disagree.

    Returns:
        The volume, (C, I, J, K) with its RAS grid in mm; of a picture with its grid of pixels.

    Raises:
        MedunetError: it is no regular volume.
    """
    from medunet.reading import ReadOptions
    from medunet.reading import read_volume as read
    from medunet.records import check_record

    options = {"series": series, "phase": phase, "assume_rescale": assume_rescale, "pet": pet, "prefer": prefer}
    return read(Path(path), check_record(options, ReadOptions, "read_volume"))


def check(path: PathLike, *, channels: Sequence[str] | None = None, objects: bool = False) -> list["Finding"]:
    """Say everything that is wrong or odd about a scan, a folder of scans or a cohort.

    Args:
        path: as of `read_volume` or `init`.
        channels: limits a cohort to these.
        objects: label maps number the objects of one label.

    Returns:
        Errors, for which it is refused, warnings and notes, in this order.

    Raises:
        MissingInputError: there is no such path.
    """
    from medunet.cohort import check_path

    return check_path(Path(path), tuple(channels) if channels else None, objects=objects)


def export_cohort(
    cohort: PathLike,
    output: PathLike,
    layout: str,
    *,
    channels: Sequence[str] | None = None,
    objects: bool = False,
) -> "Cohort":
    """Write a cohort as NIfTI (pictures as PNG) in the layout of nnU-Net or the Medical Segmentation Decathlon.

    Args:
        cohort: as of `init`.
        output: folder that is made.
        layout: "nnunet" or "msd".
        channels: limits the cohort to these, in this order.
        objects: label maps number the objects of one label.

    Returns:
        The cohort of labelled cases as it is found in the folder.

    Raises:
        OutputExistsError: the folder exists.
        MedunetError: the cohort can't be read, or the layout can't hold it.
    """
    from medunet.cohort import export_cohort as export
    from medunet.cohort import find_cohort, find_folds
    from medunet.records import check_free

    check_free(Path(output))
    found = find_cohort(Path(cohort), channels=tuple(channels) if channels else None, objects=objects)
    export(find_folds(found, Path(cohort)), Path(output), layout, _resample)
    return find_cohort(Path(output))


def _resample(*image: Any) -> Any:
    from medunet.preparation import resample_image  # brings MONAI, which cohorts on one grid don't need

    return resample_image(*image)


def init(
    cohort: PathLike,
    bundle: PathLike,
    *,
    dims: Literal[2, 3] | None = None,
    budget_minutes: float = 45.0,
    memory: "Memory | None" = None,
    channels: Sequence[str] | None = None,
    objects: bool = False,
) -> "Plan":
    """Find cases, measure them, plan, and write a bundle.

    Folds are the `cohort.json`'s, those of a `folds.json` or `splits_final.json` beside it, or five by lesion volume.

    Args:
        cohort: a tree of DICOM studies with RTSTRUCT, a Decathlon or nnU-Net folder, a folder of `images/` and
            `labels/` of PNG, or a `cohort.json`.
        bundle: folder that is made.
        dims: 3, or 2 for slices; 2 where every image is one slice, if not given.
        budget_minutes: training time that the network is chosen for.
        memory: what training may take; half of this machine's (at most 8 GiB without a GPU) where it doesn't say.
        channels: limits the cohort to these, in this order.
        objects: label maps number the objects of one label.

    Raises:
        OutputExistsError: the bundle exists.
        MedunetError: the cohort can't be used.
    """
    from medunet.planner import Wishes, make_bundle

    wishes = Wishes(dims=dims, budget_minutes=budget_minutes, memory=memory)
    return make_bundle(Path(cohort), Path(bundle), wishes, channels, objects)


def plan(
    path: PathLike,
    *,
    dims: Literal[2, 3] | None = None,
    budget_minutes: float | None = None,
    memory: "Memory | None" = None,
    channels: Sequence[str] | None = None,
    objects: bool = False,
    write: bool = False,
) -> "Plan":
    """Read the plan of a bundle, say what it would be otherwise, or measure a cohort and plan without a bundle.

    Args:
        path: of a bundle, or a cohort as of `init`.
        dims: as of `init`, like the next two; a bundle's own where not given.
        budget_minutes: see there.
        memory: see there.
        channels: as of `init`, for a cohort.
        objects: as of `init`, for a cohort.
        write: give the bundle this plan, or without other arguments its edited plan.json, in all configurations.

    Raises:
        BundleError: `write`, and the training of the bundle has begun.
        MedunetError: the bundle or cohort can't be used, or not so.
    """
    from medunet.planner import Wishes, plan_path

    wishes = Wishes(dims=dims, budget_minutes=budget_minutes, memory=memory)
    return plan_path(Path(path), wishes, channels, objects, write)


def train(bundle: PathLike, *, fold: int = 0, budget_minutes: float | None = None, restart: bool = False) -> Path:
    """Train a bundle, or go on with a run that was interrupted.

    Args:
        bundle: from `init`.
        fold: whose patients are held out.
        budget_minutes: None takes the plan's.
        restart: keep an older run of this fold under another name and begin anew.

    Returns:
        The file of weights.

    Raises:
        MedunetError: whatever stopped it.
    """
    from medunet.planner import warn_if_stale
    from medunet.training import train_bundle

    warn_if_stale(Path(bundle))
    return train_bundle(Path(bundle), fold=fold, budget_minutes=budget_minutes, restart=restart)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted of one scan.

    Attributes:
        id: name of the scan.
        mask: labels on the scan's grid.
        files: what was written, by format.
        seconds: from reading to writing.
    """

    id: str
    mask: "Mask"
    files: dict[str, Path]
    seconds: float

    @property
    def path(self) -> Path | None:
        """The first file, None where none was written."""
        return next(iter(self.files.values()), None)


def predict(
    bundle: PathLike,
    *scans: PathLike,
    output: PathLike | None = None,
    images: Mapping[str, PathLike] | None = None,
    options: "Mapping[str, ReadOptions] | None" = None,
    box: str | None = None,
    formats: Sequence[str] = (),
    empty_seg: bool = True,
) -> list[Prediction]:
    """Predict scans.

    Args:
        bundle: a trained bundle.
        scans: each a file, the folder of one series, a patient's folder, or a folder of pictures.
        output: folder for the masks and a run record of each; nothing is written without it.
        images: instead of `scans`, a path for each channel.
        options: how to read a channel, by its name, or all by "".
        box: "x0:x1,y0:y1,z0:z1" in RAS mm, to which predictions are restricted.
        formats: `nifti` (`<scan>.nii.gz`), `seg` (DICOM SEG, `<scan>.seg.dcm`) or both, and `png` of pictures;
            `nifti` or `png` if not given.
        empty_seg: write a SEG where nothing was found, too.

    Raises:
        OutputExistsError: an output exists.
        MedunetError: the bundle or a scan can't be used.
    """
    from medunet.bundle import open_bundle
    from medunet.errors import InputError
    from medunet.inference import find_scans, name_scan, open_predictor, parse_box, plan_outputs

    inside = parse_box(box) if box else None
    opened = open_bundle(Path(bundle))
    found = [scan for path in scans for scan in find_scans(Path(path), opened.plan, options or {})]
    if images:
        found.append(name_scan({name: Path(path) for name, path in images.items()}, opened.plan, options or {}))
    names = [scan.id for scan in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(name, "two scans have this name", "predict them into two folders")
    folder = Path(output) if output is not None else None
    outputs = [plan_outputs(opened, scan, folder, formats, empty_seg) for scan in found]
    predictor = open_predictor(opened)
    return [_predict_one(predictor, *pair, inside) for pair in zip(found, outputs, strict=True)]


def _predict_one(predictor: "Predictor", scan: "Scan", outputs: "Outputs", box: "Box | None") -> Prediction:
    from medunet.inference import predict_scan, write_outputs

    started = time.monotonic()
    mask = predict_scan(predictor, scan, box)
    files = write_outputs(outputs, mask, predictor, started)
    return Prediction(id=scan.id, mask=mask, files=files, seconds=time.monotonic() - started)


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


def evaluate(
    bundle: PathLike,
    *,
    cohort: PathLike | None = None,
    predictions: PathLike | None = None,
    output: PathLike | None = None,
) -> Evaluation:
    """Score a bundle on patients that it wasn't trained on, beside floors that don't learn.

    Args:
        bundle: a trained bundle with its training cohort, on which the floors are fitted.
        cohort: other patients to score instead of the held-out ones of the trained fold.
        predictions: folder of `<case>.nii.gz` or `<case>.png` from `predict`; they are predicted now if not given.
        output: folder for scores, pictures and page; `work/evaluation` of the bundle if not given.

    Raises:
        OutputExistsError: the output exists.
        InputError: a patient was in training.
    """
    from medunet.bundle import open_bundle
    from medunet.errors import BundleError
    from medunet.evaluation import find_floors, score_cases, write_pages, write_table
    from medunet.inference import open_predictor
    from medunet.records import check_free, whole_folder, write_record

    opened = open_bundle(Path(bundle))
    if opened.metadata.get("training") is None:
        raise BundleError(bundle, "the bundle has no weights", f"train it first with: medunet train {bundle}")
    own, training, scored, cases = _choose_cases(opened, cohort)
    target = Path(output) if output is not None else opened.work / "evaluation"
    check_free(target)
    floors = find_floors(opened, own, training)
    find_mask = (
        partial(_find_prediction, Path(predictions)) if predictions else partial(_predict_case, open_predictor(opened))
    )
    with whole_folder(target) as part:
        scores, pictures = score_cases(scored, cases, floors, find_mask)
        write_record(part / "scores.json", scores)
        write_pages(part, opened.metadata, scores, pictures)
    return Evaluation(scores, write_table(scores), target / "report.html", target / "overview.png")


def _choose_cases(
    bundle: "Bundle", path: PathLike | None
) -> tuple["Cohort | None", list["Case"], "Cohort", Sequence["Case"]]:
    """The cohort of training if it came along, its training cases; the cohort that is scored, and its cases."""
    from medunet.training import split_cases

    fold = bundle.metadata["training"]["fold"]
    if path is None:
        own = bundle.cohort()
        training, held_out = split_cases(own, fold)
        return own, training, own, held_out
    known = bundle.cohort() if bundle.has_cohort else None
    training = split_cases(known, fold)[0] if known else []
    others = _open_others(Path(path), bundle.plan, training)
    return known, training, others, others.cases


def _open_others(path: Path, plan: "Plan", training: Sequence["Case"]) -> "Cohort":
    """A cohort that the bundle wasn't trained on, with the same labels."""
    from medunet.cohort import check_labelled, find_cohort
    from medunet.errors import InputError

    others = check_labelled(find_cohort(path, channels=plan.channels, objects=plan.labels.objects), str(path))
    if others.labels.names != plan.labels.names:
        raise InputError(
            path, f"its labels are {', '.join(others.labels.names)}", "name them alike", ", ".join(plan.labels.names)
        )
    known = {case.patient for case in training}
    for case in others.cases:
        if case.patient in known:
            raise InputError(path, f"patient {case.patient} was in training", "score patients that were not")
    return others


def _find_prediction(predictions: Path, case: "Case", truth: "Mask") -> "Mask":
    from medunet.errors import MissingInputError
    from medunet.inference import name_mask
    from medunet.reading import read_mask

    path = predictions / name_mask(case.id, truth.grid.unit)
    if not path.is_file():
        raise MissingInputError(path, f"there is no prediction of case {case.id}", "predict it first")
    return read_mask(path, truth.grid, truth.table)


def _predict_case(predictor: "Predictor", case: "Case", _: "Mask") -> "Mask":
    from medunet.inference import Scan, predict_scan
    from medunet.preparation import locate_images

    return predict_scan(predictor, Scan(case.id, *locate_images(case, predictor.bundle.plan.channels)))
