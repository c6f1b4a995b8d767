"""Find the cases of a tree of DICOM studies: patients, channels by modality, contours by what they reference."""

from collections.abc import Iterable
from pathlib import Path

from medunet.cohort.cases import Case, Channel, Cohort, LabelSource, read_cohort
from medunet.errors import InputError, LabelError, MissingInputError, SeriesError
from medunet.geometry import Grid
from medunet.labels import LabelTable
from medunet.reading import ContourFile, Findings, Series, find_series, measure_grid, read_contours
from medunet.records import suggest

CHANNELS = {"CT": "ct", "PT": "pet", "MR": "mr"}
"""Modality to name of the channel, in the order in which one becomes the reference."""


def find_cohort(path: Path | str, channels: tuple[str, ...] | None = None) -> Cohort:
    """Read a `cohort.json` (or the folder that holds one), or find the cases of a tree of DICOM studies.

    Args:
        path: file or folder.
        channels: limits the cohort to these, in this order.

    Raises:
        MissingInputError: there is no DICOM image.
        SeriesError: a patient lacks a channel, or has two series of one modality.
        LabelError: contours fit no image, or structures are named differently.
    """
    path = Path(path)
    if not path.exists():
        raise MissingInputError(path, "there is no such file or folder", "check the path")
    listed = path if path.is_file() else path / "cohort.json"
    if listed.is_file():
        return _limit(read_cohort(listed), channels, listed)
    found = find_series(path)
    if not found.series:
        raise MissingInputError(path, "it holds no DICOM image", "give a tree of DICOM studies, or a cohort.json")
    return _make_cohort(path, found, channels)


def _limit(cohort: Cohort, channels: tuple[str, ...] | None, path: Path) -> Cohort:
    if channels is None:
        return cohort
    for name in channels:
        if name not in cohort.channels:
            raise InputError(path, f"it has no channel '{name}'", suggest(name, list(cohort.channels)))
    cases = [
        case.model_copy(update={"channels": {name: case.channels[name] for name in channels}}) for case in cohort.cases
    ]
    modalities = {name: cohort.modalities[name] for name in channels}
    return cohort.model_copy(update={"channels": channels, "modalities": modalities, "cases": tuple(cases)})


def _make_cohort(path: Path, found: Findings, wanted: tuple[str, ...] | None) -> Cohort:
    patients: dict[str, list[Series]] = {}
    for series in found.series:
        patients.setdefault(series.patient_id, []).append(series)
    for contours in found.contours:
        if contours.patient_id not in patients:
            raise LabelError(
                contours.path, f"its patient {contours.patient_id!r} has no images here", "add them or take it away"
            )
    names = _find_channels(path, patients, wanted)
    modality = {name: code for code, name in CHANNELS.items()}
    files: dict[str, ContourFile] = {}
    cases: dict[str, dict[str, Channel]] = {}
    for patient, images in patients.items():
        chosen = {name: _choose_series(patient, images, name, modality[name]) for name in names}
        cases[patient] = {name: Channel(path=item.folder, series=item.uid) for name, item in chosen.items()}
        own = [item for item in found.contours if item.patient_id == patient]
        matched = _match_contours(own, chosen[names[0]])
        if matched is not None:
            files[patient] = matched
    labels = _name_labels(files)
    table = LabelTable.from_names(list(labels))
    return Cohort(
        channels=names,
        modalities={name: modality[name] for name in names},
        labels=table,
        cases=tuple(
            Case(
                id=_make_id(patient),
                patient=patient,
                channels=channels,
                label=_make_source(files.get(patient), labels),
            )
            for patient, channels in sorted(cases.items())
        ),
    )


def _make_id(patient: str) -> str:
    return "".join(character if character.isalnum() or character in "-_." else "_" for character in patient) or "_"


def _find_channels(path: Path, patients: dict[str, list[Series]], wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    known = list(CHANNELS.values())
    for name in wanted or ():
        if name not in known:
            raise InputError(path, f"there is no channel '{name}'", suggest(name, known))
    present = {series.modality for items in patients.values() for series in items}
    names = wanted or tuple(name for code, name in CHANNELS.items() if code in present)
    if not names:
        raise SeriesError(path, f"its series are {', '.join(sorted(present))}", "list the images in a cohort.json")
    return names


def _choose_series(patient: str, found: list[Series], name: str, modality: str) -> Series:
    fitting = [series for series in found if series.modality == modality]
    if not fitting:
        raise SeriesError(
            f"patient {patient}",
            f"it has no {modality} series, which other patients have or which was asked for",
            "add it, take the patient away, or name the channels that all have with --channels",
        )
    if len(fitting) > 1:
        folders = ", ".join(series.folder for series in fitting)
        raise SeriesError(f"patient {patient}", f"it has {len(fitting)} {modality} series ({folders})", _LIST)
    return fitting[0]


_LIST = "list the right ones in a cohort.json"


def _match_contours(found: list[ContourFile], reference: Series) -> ContourFile | None:
    """The contours of the reference: by the series they name, else by frame of reference and place."""
    named = [item for item in found if reference.uid in item.series_uids]
    if not named and found:
        frame = reference.frame_of_reference_uid
        grid = measure_grid(reference)
        named = [item for item in found if item.frame_of_reference_uid == frame and _lies_on(item, grid)]
    if len(named) > 1:
        raise LabelError(
            f"patient {reference.patient_id}", f"{len(named)} RTSTRUCT files fit its {reference.modality}", _LIST
        )
    return named[0] if named else None


def _lies_on(contours: ContourFile, grid: Grid) -> bool:
    points = [points for item in read_contours(contours.path).values() for points in item]
    for item in points:
        index = grid.to_voxel(item)
        off_plane = abs(index[:, 2] - round(float(index[:, 2].mean()))).max()
        if off_plane > 0.1 or not (-1 < index[:, 2].mean() < grid.shape[2]):
            return False
    return bool(points)


def _name_labels(files: dict[str, ContourFile]) -> dict[str, dict[str, str]]:
    """Labels of a cohort: for each its structure in every file.

    Structures with the same names in all files are labels of these names. A single structure whose name differs
    only in its end (GTV_CT, GTV_PET) makes one label of the common beginning.
    """
    if not files:
        raise LabelError("cohort", "no RTSTRUCT fits any image", "add contours, or list label maps in a cohort.json")
    first = next(iter(files.values()))
    names = sorted({name for item in files.values() for name in item.roi_names})
    if all(set(item.roi_names) == set(first.roi_names) for item in files.values()) and first.roi_names:
        return {name: {item.path: name for item in files.values()} for name in sorted(first.roi_names)}
    if all(len(item.roi_names) == 1 for item in files.values()):
        common = _common_start(names)
        if len(common) > 2:
            return {common: {item.path: item.roi_names[0] for item in files.values()}}
    odd = next(item for item in files.values() if set(item.roi_names) != set(first.roi_names))
    raise LabelError(
        odd.path,
        f"its structures are {', '.join(odd.roi_names)}, those of {first.path} are {', '.join(first.roi_names)}",
        "list cases and the structures of each label in a cohort.json",
    )


def _common_start(names: Iterable[str]) -> str:
    first, last = min(lowered := sorted(name.lower() for name in names)), max(lowered)
    same = next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[:same].rstrip("_- .")


def _make_source(file: ContourFile | None, labels: dict[str, dict[str, str]]) -> LabelSource | None:
    if file is None:
        return None
    return LabelSource(path=file.path, rois={label: structures[file.path] for label, structures in labels.items()})
