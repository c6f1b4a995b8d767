"""Which structure of an RTSTRUCT or segment of a DICOM SEG is which label."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from medunet.cohort.cases import Case, Cohort, LabelSource, Missing
from medunet.errors import LabelError, independent
from medunet.reading import LabelFile, find_modality, read_label_file

LOGGER = logging.getLogger(__name__)
Rois = dict[str, str]
"""For each label the name of its structure in one file, empty where the file has none."""


def name_cases(cohort: Cohort, path: Path) -> Cohort:
    """Fill in the `rois` of listed cases by the aliases of the cohort, which aren't needed from then on.

    Args:
        cohort: as listed.
        path: of the list, for messages.

    Raises:
        LabelError: a file has no structure for a label, or several; an alias names no label.
    """
    if not cohort.aliases and cohort.missing is None:
        return cohort
    _check_aliases(cohort.aliases, cohort.labels.names, path)
    cases = []
    for case in cohort.cases:
        with independent():
            cases.append(_name_case(case, cohort, path))
    return cohort.model_copy(update={"cases": tuple(cases), "aliases": {}})


def _name_case(case: Case, cohort: Cohort, path: Path) -> Case:
    label = case.label
    if label is None or not find_modality(label.path):
        return case
    wanted = cohort.labels.names if case.contoured is None else case.contoured
    open_names = [name for name in wanted if name not in label.rois]
    file = read_label_file(label.path)
    missing = cohort.missing if case.contoured is None else None
    rois = match_structures(file, open_names, cohort.aliases, str(path), missing) | label.rois
    return case.model_copy(update={"label": LabelSource(path=label.path, rois=rois)})


def name_labels(
    path: Path,
    files: list[LabelFile],
    labels: tuple[str, ...],
    aliases: Mapping[str, str],
    missing: Missing | None = None,
) -> dict[str, Rois]:
    """The structures of each file of a tree, by the path of the file; all of them have the same labels, in order.

    Labels and aliases decide, where some are given, and structures that neither fit are left out. Without them
    structures with the same names in all files are labels of these names, and a single structure whose name differs
    only in case or in its last words (GTV_CT, GTV_PET) makes one label of the common beginning.

    Args:
        path: of the tree.
        files: of labels.
        labels: names that are wanted; those of the aliases if empty.
        aliases: name or pattern of a structure to its label.
        missing: what it means that a file lacks a structure; where nothing is said, such a file is refused.

    Raises:
        LabelError: there are no files, they name structures differently, or lack one.
    """
    if not files:
        found = "no RTSTRUCT or SEG fits any image"
        raise LabelError(path, found, "add one, or list label maps in a cohort.json", code="label-missing")
    labels = labels or tuple(dict.fromkeys(aliases.values()))
    if labels:
        _check_aliases(aliases, labels, path)
        rois = {}
        for item in files:
            with independent():
                rois[item.path] = match_structures(item, labels, aliases, missing=missing)
        return rois
    return _find_names(files, missing)


def _check_aliases(aliases: Mapping[str, str], labels: tuple[str, ...], path: Path) -> None:
    for alias, label in aliases.items():
        if label not in labels:
            found = f"the alias '{alias}' points to '{label}', but the labels are: {', '.join(labels)}"
            remedy = f"point it to one of these, or add '{label}' to labels"
            raise LabelError(path, found, remedy, code="label-unknown")


def match_structures(
    file: LabelFile,
    labels: Iterable[str],
    aliases: Mapping[str, str],
    listed: str = "the cohort.json",
    missing: Missing | None = None,
) -> Rois:
    """The structure of each label: the one of its name, else the one that fits the first alias that any fits.

    Case doesn't matter; `*`, `?` and `[abc]` stand for any characters, any one, and one of these.

    Args:
        file: what is known of its structures.
        labels: names that are wanted.
        aliases: name or pattern of a structure to its label.
        listed: where aliases are written, for messages.
        missing: what it means that none fits; where nothing is said, that is refused.

    Raises:
        LabelError: none or several fit.
    """
    rois: Rois = {}
    for label in labels:
        patterns = [label, *(alias for alias, meant in aliases.items() if meant == label)]
        fitting = next(filter(None, ([name for name in file.names if _fits(name, item)] for item in patterns)), [])
        if not fitting and missing is not None:
            rois[label] = ""
            continue
        if len(fitting) != 1:
            found = f"its structures {', '.join(fitting)} all fit" if fitting else "no structure fits"
            raise LabelError(
                file.path,
                f"{found} the label '{label}' (there are {', '.join(file.names) or 'none'})",
                _advise(fitting or file.names, label, listed, choose=bool(fitting)),
                code="label-unknown",
            )
        rois[label] = fitting[0]
    return rois


def _advise(names: Sequence[str], label: str, listed: str, *, choose: bool) -> str:
    """What to write where no structure, or several, fit a label."""
    if not names:
        return "draw it and export the file again, or leave the label out"
    entry = f"{json.dumps(names[0], ensure_ascii=False)}: {json.dumps(label, ensure_ascii=False)}"
    if choose:
        return f"put the right one first in aliases in {listed}, like {entry}, or name it in rois of a listed case"
    lacking = "where files lack some structures, say what that means with --missing absent or --missing unknown"
    return f"add {'' if len(names) == 1 else 'the right one, like '}{entry} to aliases in {listed}; {lacking}"


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name.strip().lower(), pattern.strip().lower())


def _find_names(files: list[LabelFile], missing: Missing | None) -> dict[str, Rois]:
    for item in files:
        with independent():
            if not item.names:
                raise LabelError(
                    item.path, "it declares no structure", "export it again or take it away", code="label-unknown"
                )
    odd = next((item for item in files if set(item.names) != set(files[0].names)), None)
    if odd is None:
        return {item.path: {name: name for name in sorted(item.names)} for item in files}
    common = _find_common_start(sorted({name for item in files for name in item.names}))
    if common and all(len(item.names) == 1 for item in files):
        LOGGER.info("structures named %s… make the label %s", common, common)
        return {item.path: {common: item.names[0]} for item in files}
    if missing is not None:
        every = sorted({name for item in files for name in item.names})
        return {item.path: {name: name if name in item.names else "" for name in every} for item in files}
    raise LabelError(
        odd.path,
        f"its structures are {', '.join(odd.names)}, those of {files[0].path} are {', '.join(files[0].names)}",
        "say which make a label by aliases in a cohort.json, or where files lack some structures what that means: "
        "--missing absent (there is none) or --missing unknown (nobody looked for it)",
        code="label-names-differ",
    )


def _find_common_start(names: list[str]) -> str:
    """Words with which all names start, in any case, spelt as in the first; GTVp and GTVn share none."""
    length = 0
    for characters in zip(*names, strict=False):
        if len({character.lower() for character in characters}) > 1:
            break
        length += 1
    while length and any(_is_within_word(name, length) for name in names):
        length -= 1
    return names[0][:length].rstrip("_- .")


def _is_within_word(name: str, position: int) -> bool:
    pair = name[position - 1 : position + 1]
    return len(pair) == 2 and (pair.isalpha() or pair.isdigit())
