"""The public verbs, where the parts meet: read, init, plan, train, predict, evaluate."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medunet.bundle import Bundle
    from medunet.cohort import Case, Cohort
    from medunet.evaluation import CasePicture, CaseScore, EllipsoidFloor, Scores, ThresholdFloor
    from medunet.evaluation.floors import Image
    from medunet.evaluation.voxels import Voxels
    from medunet.geometry import Grid
    from medunet.inference import Predictor, Scan
    from medunet.labels import Mask
    from medunet.planning import Plan
    from medunet.reading import Volume

    Floor = EllipsoidFloor | ThresholdFloor

__all__ = ["Evaluation", "Prediction", "evaluate", "init", "plan", "predict", "read_volume", "train"]

SOFT_TISSUE = (40.0, 400.0)
"""Level and width of the usual window for soft tissue in CT, in HU."""
PathLike = str | os.PathLike[str]


def read_volume(path: PathLike, series: str | None = None) -> "Volume":
    """Read a file, or a folder that holds one DICOM series.

    Args:
        path: NIfTI, NRRD, MHA, PNG or DICOM.
        series: SeriesInstanceUID, where a folder holds several.

    Returns:
        The volume, (C, I, J, K) with its RAS grid in mm; of a picture with its grid of pixels.

    Raises:
        MedunetError: it is no regular volume.
    """
    from medunet.reading import read_volume as read

    return read(Path(path), series=series)


def init(
    cohort: PathLike,
    bundle: PathLike,
    *,
    dims: Literal[2, 3] | None = None,
    budget_minutes: float = 45.0,
    memory_gib: float | None = None,
    channels: Sequence[str] | None = None,
    objects: bool = False,
) -> "Plan":
    """Find cases, measure them, plan, and write a bundle.

    Args:
        cohort: a tree of DICOM studies with RTSTRUCT, a folder of `images/` and `labels/` of PNG, or a `cohort.json`.
        bundle: folder that is made.
        dims: 3, or 2 for slices; 2 where every image is one slice, if not given.
        budget_minutes: training time that the network is chosen for.
        memory_gib: what training may take; half of this machine's memory, at most 8 GiB, if not given.
        channels: limits the cohort to these, in this order.
        objects: label maps number the objects of one label.

    Raises:
        OutputExistsError: the bundle exists.
        MedunetError: the cohort can't be used.
    """
    from medunet.bundle import write_bundle
    from medunet.cohort import check_cohort, find_cohort, split_folds
    from medunet.networks import measure_step
    from medunet.planning import make_plan, measure_cohort
    from medunet.records import check_free

    check_free(Path(bundle))
    listed = find_cohort(Path(cohort), channels=tuple(channels) if channels else None, objects=objects)
    found = check_cohort(listed, str(cohort))
    if found.folds is None:
        found = found.model_copy(update={"folds": split_folds(found)})
    fingerprint = measure_cohort(found)
    planned = make_plan(
        found,
        fingerprint,
        measure_step,
        dims=dims,
        memory_gib=memory_gib or _default_memory(),
        budget_minutes=budget_minutes,
    )
    write_bundle(Path(bundle), planned, fingerprint, found)
    return planned


def _default_memory() -> float:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return min(8.0, total / 2)


def plan(bundle: PathLike) -> "Plan":
    """Read the plan of a bundle.

    Raises:
        BundleError: it is no bundle.
    """
    from medunet.bundle import open_bundle

    return open_bundle(Path(bundle)).plan


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
    from medunet.training import train_bundle

    return train_bundle(Path(bundle), fold=fold, budget_minutes=budget_minutes, restart=restart)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted of one scan.

    Attributes:
        id: name of the scan.
        mask: labels on the scan's grid.
        path: the file that was written, None without an output.
        seconds: from reading to writing.
    """

    id: str
    mask: "Mask"
    path: Path | None
    seconds: float


def predict(
    bundle: PathLike,
    *scans: PathLike,
    output: PathLike | None = None,
    images: Mapping[str, PathLike] | None = None,
) -> list[Prediction]:
    """Predict scans.

    Args:
        bundle: a trained bundle.
        scans: each a file, the folder of one series, a patient's folder, or a folder of pictures.
        output: folder for `<scan>.nii.gz` (`.png` of a picture) and a run record each; nothing is written without it.
        images: instead of `scans`, a path for each channel.

    Raises:
        OutputExistsError: an output exists.
        MedunetError: the bundle or a scan can't be used.
    """
    from medunet.bundle import open_bundle
    from medunet.errors import InputError
    from medunet.inference import find_scans, name_scan, open_predictor
    from medunet.records import check_free
    from medunet.writing import MASK_ENDINGS

    opened = open_bundle(Path(bundle))
    found = [scan for path in scans for scan in find_scans(Path(path), opened.plan)]
    if images:
        found.append(name_scan({name: Path(path) for name, path in images.items()}, opened.plan))
    names = [scan.id for scan in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(name, "two scans have this name", "predict them into two folders")
        if output is not None:
            check_free(Path(output) / f"{name}{MASK_ENDINGS[opened.plan.unit]}")
    predictor = open_predictor(opened)
    return [_predict_one(predictor, scan, Path(output) if output is not None else None) for scan in found]


def _predict_one(predictor: "Predictor", scan: "Scan", output: Path | None) -> Prediction:
    from medunet.inference import predict_scan
    from medunet.records import record_run, write_record
    from medunet.writing import MASK_ENDINGS, write_nifti, write_picture

    started = time.monotonic()
    mask = predict_scan(predictor, scan)
    path = None
    if output is not None:
        path = output / f"{scan.id}{MASK_ENDINGS[mask.grid.unit]}"
        write = write_picture if mask.grid.unit == "px" else write_nifti
        write(mask, path, _read_back)
        inputs = {"model.pt": predictor.weights_sha256}
        write_record(output / f"{scan.id}.json", record_run("predict", inputs, started))
    return Prediction(id=scan.id, mask=mask, path=path, seconds=time.monotonic() - started)


def _read_back(path: Path, mask: "Mask") -> "Mask":
    from medunet.reading import read_mask

    return read_mask(path, mask.grid, mask.table)


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
    from medunet.evaluation import write_table
    from medunet.inference import open_predictor
    from medunet.records import check_free, whole_folder, write_record
    from medunet.training import split_cases

    opened = open_bundle(Path(bundle))
    trained_on = opened.metadata.get("training")
    if trained_on is None:
        raise BundleError(bundle, "the bundle has no weights", f"train it first with: medunet train {bundle}")
    own = opened.cohort()
    training, held_out = split_cases(own, trained_on["fold"])
    scored = own
    if cohort is not None:
        scored = _open_others(Path(cohort), own, training)
        held_out = list(scored.cases)
    target = Path(output) if output is not None else opened.work / "evaluation"
    check_free(target)
    floors = _fit_floors(own, training)
    predictor = None if predictions else open_predictor(opened)
    with whole_folder(target) as part:
        scores, pictures = _score_cases(scored, held_out, floors, predictor or Path(str(predictions)))
        write_record(part / "scores.json", scores)
        _write_pages(part, opened, scores, pictures)
    return Evaluation(scores, write_table(scores), target / "report.html", target / "overview.png")


def _open_others(path: Path, own: "Cohort", training: Sequence["Case"]) -> "Cohort":
    """A cohort that the bundle wasn't trained on, with the same labels."""
    from medunet.cohort import find_cohort
    from medunet.errors import InputError

    others = find_cohort(path, channels=own.channels, objects=own.labels.objects)
    if others.labels.names != own.labels.names:
        raise InputError(
            path, f"its labels are {', '.join(others.labels.names)}", "name them alike", ", ".join(own.labels.names)
        )
    known = {case.patient for case in training}
    for case in others.cases:
        if case.patient in known:
            raise InputError(path, f"patient {case.patient} was in training", "score patients that were not")
    return others


def _fit_floors(cohort: "Cohort", training: Sequence["Case"]) -> dict[str, dict[str, "Floor"]]:
    """Floors by name of the method and of the label, fitted on the training cases, one case in memory at a time."""
    from medunet.cohort import read_channel, read_label
    from medunet.evaluation import fit_ellipsoid, fit_threshold, take_intensities
    from medunet.progress import track

    def give(value: int, what: str) -> "Iterator[tuple[Image, Voxels, Grid]]":
        for case in track(training, what, len(training)):
            volume = read_channel(case, cohort.channels[0])
            mask = read_label(cohort, case, volume.grid)
            yield take_intensities(volume), mask.voxels == value, volume.grid

    modality = cohort.modalities[cohort.channels[0]]
    floors: dict[str, dict[str, Floor]] = {"ellipsoid": {}, "threshold": {}}
    for label in cohort.labels.labels:
        floors["ellipsoid"][label.name] = fit_ellipsoid(give(label.value, f"fitting the ellipsoid of {label.name}"))
        floors["threshold"][label.name] = fit_threshold(
            give(label.value, f"fitting the threshold of {label.name}"), modality
        )
    return floors


def _score_cases(
    cohort: "Cohort",
    cases: Sequence["Case"],
    floors: dict[str, dict[str, "Floor"]],
    predicted: "Predictor | Path",
) -> tuple["Scores", list["CasePicture"]]:
    from medunet.cohort import read_channel, read_label
    from medunet.evaluation import CasePicture, Scores, draw_case, score_case
    from medunet.progress import track

    methods: dict[str, list[CaseScore]] = {name: [] for name in ("medunet", *floors)}
    pictures = []
    window = SOFT_TISSUE if cohort.modalities[cohort.channels[0]] == "CT" else None
    for case in track(cases, "scoring cases", len(cases)):
        volume = read_channel(case, cohort.channels[0])
        truth = read_label(cohort, case, volume.grid)
        mask = _find_prediction(case, predicted, truth)
        methods["medunet"] += score_case(mask, truth, case.id)
        for name, by_label in floors.items():
            methods[name] += score_case(_apply_floor(by_label, volume, truth), truth, case.id)
        image = draw_case(volume.voxels, truth.voxels > 0, mask.voxels > 0, volume.grid, window, case.id)
        pictures.append(CasePicture(caption=case.id, image=image))
    by_method = {name: tuple(scores) for name, scores in methods.items()}
    return Scores(unit=volume.grid.unit, methods=by_method), pictures


def _find_prediction(case: "Case", predicted: "Predictor | Path", truth: "Mask") -> "Mask":
    from medunet.errors import MissingInputError
    from medunet.inference import Scan, predict_scan
    from medunet.preparation import locate_images
    from medunet.reading import read_mask
    from medunet.writing import MASK_ENDINGS

    if isinstance(predicted, Path):
        path = predicted / f"{case.id}{MASK_ENDINGS[truth.grid.unit]}"
        if not path.is_file():
            raise MissingInputError(path, f"there is no prediction of case {case.id}", "predict it first")
        return read_mask(path, truth.grid, truth.table)
    return predict_scan(predicted, Scan(case.id, *locate_images(case, predicted.bundle.plan.channels)))


def _apply_floor(by_label: dict[str, "Floor"], volume: "Volume", truth: "Mask") -> "Mask":
    from dataclasses import replace

    import numpy as np

    from medunet.evaluation import take_intensities

    image = take_intensities(volume)
    voxels = np.zeros(truth.grid.shape, dtype=np.uint16)
    for label in truth.table.labels:
        voxels[by_label[label.name].predict(image, volume.grid)] = label.value
    return replace(truth, voxels=voxels)


def _write_pages(folder: Path, bundle: "Bundle", scores: "Scores", pictures: list["CasePicture"]) -> None:
    from medunet.evaluation import draw_overview, write_report

    name = bundle.metadata["name"]
    subjects = "patients" if scores.unit == "mm" else "pictures"
    facts = {key: str(value) for key, value in bundle.metadata["training"].items()}
    facts["weights"] = bundle.metadata["weights_sha256"]
    write_report(folder / "report.html", f"{name}: evaluation", scores, pictures, facts)
    sheet = draw_overview([picture.image for picture in pictures[:6]], f"{name}: {subjects} it has never seen")
    sheet.save(folder / "overview.png")
