"""Everything that is wrong or odd about a scan, a folder of scans or a cohort."""

from functools import partial
from pathlib import Path

from medunet.cohort.agreement import (
    agree_on_components,
    agree_on_labels,
    agree_on_missing,
    agree_on_modality,
    agree_on_unit,
    agree_on_values,
)
from medunet.cohort.carry import carry_series
from medunet.cohort.cases import Case, Cohort, check_cohort, check_labelled
from medunet.cohort.census import list_label_files, tell_structures
from medunet.cohort.choices import AS_FOUND, LabelChoices, choose_labels, raise_unknown_values
from medunet.cohort.companions import check_patients, find_apart
from medunet.cohort.discovery import TREE, arrange_cohort, find_cohort, is_listed, list_common_channels
from medunet.cohort.facts import CaseFacts, gather_facts, measure_image
from medunet.cohort.folds import fold_cohort
from medunet.cohort.oddities import compare_cases, find_rare_labels, judge_image
from medunet.cohort.opening import find_channel, find_place, read_label
from medunet.cohort.patients import tell_split
from medunet.errors import InputError, LabelError, collecting
from medunet.files import check_input
from medunet.findings import Finding, describe_error, make_finding, sort_findings
from medunet.geometry import Grid, check_same_pixels
from medunet.labels import LabelTable, Mask
from medunet.progress import track
from medunet.reading import (
    Contents,
    Volume,
    attempt,
    check_contours,
    check_folder,
    check_found,
    check_image,
    describe_read,
    excuse_study,
    find_modality,
    find_series,
    is_image_file,
    read_mask,
)
from medunet.reading.dicom.objects import RTSTRUCT, SEG


def check_path(path: Path, channels: tuple[str, ...] | None = None, labels: LabelChoices = AS_FOUND) -> list[Finding]:
    """Check a scan, a folder of scans or a cohort, one image in memory at a time.

    Every file is read by the readers of `init` and `predict`, so an error is what they would refuse, and a note what
    they would note; here they go on with all that doesn't depend on what was refused. Patients of a folder make a
    cohort, whose cases are compared too; of scans of one patient a note says what was read.

    Args:
        path: as of `read_volume` or `find_cohort`.
        channels: limits a cohort to these.
        labels: what is said of the labels of a cohort.

    Returns:
        Errors, warnings and notes, in this order.

    Raises:
        MissingInputError: there is no such path.
        InputError: `channels` of a single file.
    """
    check_input(path)
    if (path / "configs" / "plan.json").is_file():
        said = "it is a bundle, no scan and no cohort"
        return [make_finding("input-wrong", path, said, "give scans, and the bundle with --bundle", "error")]
    if is_listed(path):
        findings = _check_list(path, channels, labels)
    elif path.is_file() and (is_image_file(path) or find_modality(path) in (RTSTRUCT, SEG)):
        if channels:
            said = f"{path} is one file, which has no channels to choose from"
            raise InputError(f"--channels {','.join(channels)}", said, "leave it out", code="option-wrong")
        findings = _check_alone(path) if is_image_file(path) else check_contours(str(path))
    else:
        findings = _check_tree(path, channels, labels)
    return sort_findings(findings)


def _check_alone(path: Path) -> list[Finding]:
    """Read a file that is an image by itself, and say what it is and what is odd about it."""
    volume, findings = check_image(path)
    return findings if volume is None else [*findings, *_describe(volume)]


def _describe(volume: Volume) -> list[Finding]:
    """What a scan is that stands for itself, and what is odd about it."""
    return [describe_read(volume), *judge_image(measure_image(volume), volume.source.path)]


def _check_list(path: Path, channels: tuple[str, ...] | None, labels: LabelChoices) -> list[Finding]:
    with collecting() as errors:
        cohort, findings = attempt(find_cohort, path, channels, objects=labels.objects, missing=labels.missing)
    findings += map(describe_error, errors)
    if cohort is not None:
        cohort, said = attempt(choose_labels, cohort, labels, path)
        findings += said
    if cohort is None:
        return findings
    facts, found = _check_cases(cohort, path)
    findings += found + _check_whole(cohort, facts, path, complete=not errors)
    return findings + tell_structures(list_label_files(cohort), cohort, facts, path)


def _check_tree(path: Path, channels: tuple[str, ...] | None, labels: LabelChoices) -> list[Finding]:
    """Scans of one patient, or of several, who make a cohort."""
    with collecting() as errors:
        found = find_series(path)
    with collecting() as missed:
        tables = TREE.model_copy(update={"missing": labels.missing})
        cohort, said = attempt(arrange_cohort, path, found, channels, tables)
        if missed and (common := list_common_channels(found)) and not channels:
            # A patient without one channel is told of, and checked by the others.
            cohort = attempt(arrange_cohort, path, found, common, tables)[0]
    said += map(describe_error, missed)
    if cohort is not None and cohort.labels.labels:
        cohort, wrong = attempt(choose_labels, cohort, labels, path)
        said += wrong
    findings = [describe_error(error) for error in errors]
    is_cohort = len({series.patient_id for series in found.series}) > 1
    if is_cohort and found.labels:
        findings += said
    elif is_cohort:
        # Scans that are to be predicted, of which init alone would say so.
        findings += [item.model_copy(update={"severity": "warning"}) for item in said]
    elif channels:
        findings += [item for item in said if item.code == "channel-missing"]
    facts: list[CaseFacts] = []
    known = frozenset[str]()
    if cohort is not None:
        # Beside a file that can't be read a series is found again with its own folder, and refused as init does.
        cohort = cohort if errors else carry_series(cohort, found.series)
        facts, of_cases = _check_cases(cohort, path, tell=not is_cohort)
        findings += of_cases
        known = _list_read(cohort)
    findings += check_folder(found, path, known, None if is_cohort else _describe)
    findings = findings if is_cohort else excuse_study(findings, found.series)
    if cohort is not None and is_cohort:
        findings += _check_whole(cohort, facts, path, complete=not errors and not missed)
    findings += _tell_refused(found, path)
    return findings + (tell_structures(found.labels, cohort, facts, path) if is_cohort else [])


def _tell_refused(found: Contents, path: Path) -> list[Finding]:
    """A note of what scans lack to be a cohort, since they may be meant to be predicted; none of a sole scan."""
    count = len({series.patient_id for series in found.series})
    if count > 1 and not found.labels:
        return [make_finding("label-missing", path, "init would refuse it: no labels", severity="note")]
    if count == 1 and found.labels:
        return [make_finding("patients-too-few", path, "init would refuse it: 1 patient", severity="note")]
    return []


def _list_read(cohort: Cohort) -> frozenset[str]:
    series = {channel.series or "" for case in cohort.cases for channel in case.channels.values()}
    return frozenset(series | {case.label.path for case in cohort.cases if case.label is not None})


def _check_cases(cohort: Cohort, path: Path, *, tell: bool = False) -> tuple[list[CaseFacts], list[Finding]]:
    facts: list[CaseFacts] = []
    findings: list[Finding] = []
    for case in track(cohort.cases, "checking cases", len(cohort.cases)):
        measured, found = _check_case(cohort, case, tell)
        facts.append(measured)
        findings += found
    if sum(item.code == "label-values" for item in findings) > 1:
        error = LabelError(path, "", "", code="label-values")
        findings += attempt(raise_unknown_values, cohort, error, path)[1]
    return facts, findings


def _check_case(cohort: Cohort, case: Case, tell: bool) -> tuple[CaseFacts, list[Finding]]:
    findings, images, mask = [], {}, None
    grids: dict[str, Grid] = {}
    reference: Grid | None = None
    for name in cohort.channels:
        source = case.channels[name]
        volume, found = check_found(partial(find_channel, source))
        findings += found
        if volume is None:
            continue
        images[name], grids[name] = measure_image(volume), volume.grid
        if tell:
            findings += [describe_read(volume), *judge_image(images[name], source.path)]
        if name == cohort.channels[0]:
            reference = volume.grid
            mask, found = _check_label(cohort, case, volume.grid)
        elif reference is not None:
            words = source.path, f"the {cohort.channels[0]} of its case"
            found = attempt(check_same_pixels, volume.grid, reference, *words)[1]
        else:
            found = []
        findings += found
    if reference is None and case.label is not None:
        findings += check_contours(case.label.path)
    findings += attempt(check_patients, {name: image.source.patient_id for name, image in images.items()}, case.id)[1]
    findings += find_apart(grids, case.id) if reference is not None else ()
    return gather_facts(case, images, mask), findings


def _check_label(cohort: Cohort, case: Case, grid: Grid) -> tuple[Mask | None, list[Finding]]:
    """Read labels; those of an object that is refused one by one, since each may be refused for itself."""
    label = case.label
    if label is None:
        return None, []
    mask, findings = attempt(read_label, cohort, case, grid)
    if mask is None and not is_image_file(Path(label.path)):
        for name in cohort.labels.names:
            one, structure = LabelTable.from_names([name]), {name: label.rois.get(name, name)}
            findings += attempt(read_mask, label.path, grid, one, structure, find_place(cohort, case))[1]
    return mask, findings


def _check_whole(cohort: Cohort, facts: list[CaseFacts], path: Path, *, complete: bool) -> list[Finding]:
    """What only all cases together show; folds of a cohort that isn't complete would name cases that were left out."""
    findings = attempt(check_cohort if complete else check_labelled, cohort, str(path))[1]
    findings += tell_split(cohort, path)
    if complete:
        findings += attempt(fold_cohort, cohort, path)[1]
    findings += attempt(agree_on_unit, facts)[1]
    if all(case.labels is not None for case in facts):
        findings += attempt(agree_on_labels, facts)[1]
        findings += attempt(agree_on_missing, cohort, facts)[1]
        findings += find_rare_labels(cohort, facts) if complete else ()
    for name in cohort.channels:
        findings += attempt(agree_on_modality, name, cohort.modalities[name], facts)[1]
        findings += attempt(agree_on_values, name, facts)[1]
        findings += attempt(agree_on_components, name, facts)[1]
    return findings + compare_cases(cohort, facts)
