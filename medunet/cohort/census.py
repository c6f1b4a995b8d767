"""Which structures the labels of a cohort hold: their names, how many patients have them, their volumes and values.

Names are what the files say, whatever makes a label of them, so that a cohort whose files disagree can be put in order.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median

from medunet.cohort.cases import Cohort
from medunet.cohort.facts import CaseFacts
from medunet.errors import MedunetError
from medunet.findings import Finding, make_finding, overhearing
from medunet.progress import track
from medunet.reading import LabelFile, is_image_file, measure_contours, measure_segments, read_label_file

ALIKE = 0.85
"""Share of equal letters from which two names may be one misspelt (Ratcliff and Obershelp's ratio)."""
LEAST = 5
"""Letters of a name that can be called misspelt."""
SIDES = {"l": "left", "lt": "left", "li": "left", "r": "right", "rt": "right", "re": "right"}
"""Ways to write a side, of German too."""
MODALITIES = {"ct", "mr", "mri", "pet", "pt"}
"""Words that only say on which image a structure was drawn."""
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+")


@dataclass(slots=True)
class Structure:
    """A structure of the files of a cohort.

    Attributes:
        name: that files give it, or that the label table gives the value.
        patients: who have it.
        volumes: mL (of pictures pixels) of each file in which something is drawn.
        values: in label maps.
    """

    name: str
    patients: set[str] = field(default_factory=set)
    volumes: list[float] = field(default_factory=list)
    values: set[int] = field(default_factory=set)


def tell_structures(
    files: Sequence[LabelFile], cohort: Cohort | None, facts: Iterable[CaseFacts], path: Path
) -> list[Finding]:
    """A note with a table of structures, and with aliases where names look alike; nothing where there are none.

    Args:
        files: RTSTRUCT and DICOM SEG files.
        cohort: whose label maps count as well, as far as `facts` knows them.
        facts: of its cases.
        path: that was checked.
    """
    found = {item.name: item for item in (*_list_drawn(files), *_list_maps(cohort, facts))}
    if not found:
        return []
    aliases = suggest_aliases({item.path: item.names for item in files})
    patients = len(set().union(*(item.patients for item in found.values())))
    words = f"{len(found)} structure{'s' if len(found) > 1 else ''} of {patients} patients"
    return [make_finding("structures", path, words, f"{_tabulate(found.values())}{_write_aliases(aliases)}", "note")]


def list_label_files(cohort: Cohort) -> list[LabelFile]:
    """The RTSTRUCT and DICOM SEG files that a list names, without those that can't be read."""
    paths = dict.fromkeys(case.label.path for case in cohort.cases if case.label)
    found = []
    for path in paths:
        try:
            found += [] if is_image_file(Path(path)) else [read_label_file(path)]
        except MedunetError:
            continue  # it is told of as the label of its case
    return found


def _list_drawn(files: Sequence[LabelFile]) -> list[Structure]:
    """The structures of RTSTRUCT and DICOM SEG files."""
    found: dict[str, Structure] = {}
    for item in track(files, "measuring structures", len(files)):
        # What is odd about a file is told when it is read as the label of its case.
        with overhearing():
            try:
                volumes = (measure_contours if item.modality == "RTSTRUCT" else measure_segments)(item.path)
            except MedunetError:
                volumes = dict.fromkeys(item.names, 0.0)
        for name, volume in volumes.items():
            known = found.setdefault(name, Structure(name))
            if volume > 0:
                known.volumes.append(volume)
            known.patients |= {item.patient_id} if volume > 0 else set()
    return list(found.values())


def _list_maps(cohort: Cohort | None, facts: Iterable[CaseFacts]) -> list[Structure]:
    """The labels of label maps."""
    if cohort is None:
        return []
    maps = {case.id for case in cohort.cases if case.label and is_image_file(Path(case.label.path))}
    values = {label.name: label.value for label in cohort.labels.labels}
    found = {name: Structure(name, values={value}) for name, value in values.items()} if maps else {}
    for case in facts:
        reference = case.images.get(cohort.channels[0])
        if case.id not in maps or case.labels is None or reference is None:
            continue
        x, y, z = reference.spacing
        size = x * y * z / 1000 if reference.unit == "mm" else 1.0
        for name, label in case.labels.items():
            if name in found:
                found[name].patients.add(case.patient)
                found[name].volumes.append(label.voxels * size)
    return list(found.values())


def _tabulate(found: Iterable[Structure]) -> str:
    """Lines of the table, most patients first."""
    rows = [("structure", "patients", "mL: least, median, largest", "value")]
    for item in sorted(found, key=lambda one: (-len(one.patients), one.name)):
        sizes = (min(item.volumes), median(item.volumes), max(item.volumes)) if item.volumes else ()
        told = ", ".join(f"{size:.3g}" for size in sizes) or "nothing drawn"
        rows.append((item.name, str(len(item.patients)), told, " ".join(map(str, sorted(item.values)))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n    ".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _write_aliases(aliases: Mapping[str, str]) -> str:
    """The block for a cohort.json, nothing where no names look alike."""
    if not aliases:
        return ""
    block = json.dumps(dict(aliases), ensure_ascii=False, indent=2).replace("\n", "\n    ")
    return f'\n    names that look alike, for a cohort.json, if they are meant so:\n    "aliases": {block}'


def suggest_aliases(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Names that look like one structure, to the most frequent of them.

    Alike are names of the same words, whatever their order, case and signs, where a side is written in any way and the
    name of a modality left out; and such as differ by few letters and by no number and no side. Names of one file
    never are: whoever drew it told them apart.

    Args:
        names: of the structures of each file.

    Example:
        >>> suggest_aliases({"a": ["Parotid_L", "GTV 1"], "b": ["Parotid_L", "gtv1"], "c": ["Left parotid", "GTV 2"]})
        {'Left parotid': 'Parotid_L', 'gtv1': 'GTV 1'}
    """
    counts = Counter(name for own in names.values() for name in own)
    files: dict[str, set[str]] = defaultdict(set)
    for path, own in names.items():
        for name in own:
            files[name].add(path)
    groups: dict[str, set[str]] = {}
    aliases = {}
    for name in sorted(counts, key=lambda one: (-counts[one], one)):
        label = next(
            (known for known, taken in groups.items() if not taken & files[name] and _alike(known, name)), name
        )
        groups[label] = groups.get(label, set()) | files[name]
        if label != name:
            aliases[name] = label
    return dict(sorted(aliases.items()))


def _alike(one: str, other: str) -> bool:
    first, second = _split_words(one), _split_words(other)
    if first == second:
        return bool(first)
    fixed = [[word for word in words if word.isdigit() or word in SIDES.values()] for words in (first, second)]
    own, others = ("".join(word for word in words if word not in fixed[0]) for words in (first, second))
    near = min(len(own), len(others)) >= LEAST and SequenceMatcher(None, own, others).ratio() >= ALIKE
    return fixed[0] == fixed[1] and near


def _split_words(name: str) -> list[str]:
    """The words of a name in alphabetic order, in small letters."""
    words = [SIDES.get(word, word) for word in (part.lower() for part in WORDS.findall(name))]
    return sorted([word for word in words if word not in MODALITIES] or words)
