"""What is odd about cases beside each other: pure functions of what was measured of each.

Numbers are compared with the median of the cohort, which some odd cases don't move. What the cohort itself doesn't
settle, such as which side is right, isn't guessed: a side counts only where chance would hardly make it so.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt

from medunet.codes import Severity
from medunet.cohort.cases import Cohort
from medunet.cohort.facts import CaseFacts, ImageFacts, LabelFacts
from medunet.cohort.rare_labels import FOLDS, Holding, find_rare
from medunet.findings import Finding, make_finding

Cases = Sequence[CaseFacts]
FEW = 4
"""Fewer cases have no usual value."""
SPACING = 2.0
"""Ratio to the median from which a spacing is an outlier."""
RANGE = 30.0
"""The same of the range of values; boxes and whole bodies, hot and cold lesions differ by less."""
LEAST_MM, LARGEST_MM, LONGEST_MM = 0.02, 20.0, 2500.0
"""Steps of CT, PET and MR lie between the first two; no scan is longer than the third."""
LEAST_HU_RANGE = 100.0
"""CT of a patient shows fat, water and noise; a smaller range was scaled."""
BRIGHT_HU = 600.0
"""The median of a CT, without anything below 0, that holds 1024 too much: soft tissue then lies at 1060."""
SIDES = ("left", "right"), ("back", "front"), ("foot", "head")
AXES = ("from left to right", "from back to front", "from foot to head")
OFF_CENTRE = 0.1
"""A label or its distance to another counts as on one side from this part of half the image on."""
RARE = 0.25
"""Largest part of a cohort that is odd beside the rest."""
RARE_SIDE = 0.1
"""Part of a cohort that may lie on the other side or near the middle, where the rest has a side."""
CHANCE = 0.002
"""Probability below which a common side isn't chance."""
ALIKE = 0.3
"""Cosine between the sided part of an image and that of the others from which they are alike."""
UNLIKE = 0.05
"""Part of the images that may be neither like the others nor like their mirror images."""


def compare_cases(cohort: Cohort, cases: Cases) -> list[Finding]:
    """All that is odd about the cases of a cohort, by kind.

    Args:
        cohort: they belong to.
        cases: what was measured of them, as far as they could be read.
    """
    kinds: list[Callable[[Cases], Iterator[Finding]]]
    kinds = [find_patients, find_twins, find_spacings, find_margins, find_borders, find_strides, find_empty]
    kinds += [partial(find_unused, names=cohort.labels.names)]
    kinds += [partial(find_values, modalities=cohort.modalities), find_hands, find_sides, find_mirrored]
    if not cohort.labels.objects:  # objects that touch enclose what is no hole
        kinds.append(find_pieces)
    return [finding for kind in kinds for finding in kind(cases)]


def find_rare_labels(cohort: Cohort, cases: Cases) -> Iterator[Finding]:
    """Labels that folds can't spread, by all cases of a cohort, whose labels could be read."""
    held = find_holding(cases)
    return find_rare(held, len(cohort.folds) if cohort.folds else min(FOLDS, len(held)), cohort.folds)


def find_holding(cases: Cases) -> Holding:
    """Names of the labels of each patient that have voxels."""
    held: dict[str, frozenset[str]] = {}
    for case in cases:
        held[case.patient] = held.get(case.patient, frozenset()) | frozenset(case.labels or ())
    return held


def judge_image(image: ImageFacts, subject: object) -> Iterator[Finding]:
    """What is odd about an image by itself, no other beside it."""
    if not image.digest:
        yield make_finding("image-empty", subject, "all of its values are equal", "give the image again")
    if image.unit == "mm" and _is_no_size(image):
        words = " × ".join(f"{step:.4g}" for step in image.spacing)
        said = f"its voxels of {words} mm × {image.shape} are no size of a scan of a patient"
        yield make_finding("size-implausible", subject, said, "correct the unit of its header")
    if image.source.modality == "CT" and (why := _find_no_hu(image)):
        said = f"its values, from {image.low:.4g} to {image.high:.4g}, are {why}"
        yield make_finding("values-not-hu", subject, said, "convert it again from DICOM")


def find_patients(cases: Cases) -> Iterator[Finding]:
    """Patients who are several patients of the cohort, by the PatientID of their scans."""
    cohort_names: dict[str, dict[str, str]] = defaultdict(dict)
    for case in cases:
        ids = {image.source.patient_id for image in case.images.values() if image.source.patient_id}
        for name in ids or {case.patient}:
            cohort_names[name.strip().casefold()].setdefault(case.patient, case.id)
    for known in cohort_names.values():
        if len(known) > 1:
            first, *others = known.values()
            said = f"its patient is also that of {', '.join(others)}, as another patient of the cohort"
            remedy = "give both the same patient in a cohort.json, so that no fold trains on one and scores the other"
            yield make_finding("patient-twice", first, said, remedy)


def find_twins(cases: Cases) -> Iterator[Finding]:
    """Volumes with the same values, of whatever case and channel; volumes of one value."""
    places: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        for channel, image in case.images.items():
            places[image.digest].append(f"{case.id} {channel}")
    for place in places.pop("", []):
        yield make_finding("image-empty", place, "all of its values are equal", "give the image again")
    for first, *others in places.values():
        if others:
            said = f"it has the same values as {', '.join(others)}"
            yield make_finding("volume-twice", first, said, "leave one of them out")


def find_spacings(cases: Cases) -> Iterator[Finding]:
    """Spacings far from the usual one, and sizes that no scan of a patient has."""
    for channel, images in _by_channel(cases).items():
        spacings = np.array([image.spacing for image in images.values()])
        usual = np.median(spacings, axis=0)
        for (case, image), spacing in zip(images.items(), spacings, strict=True):
            words = " × ".join(f"{step:.4g}" for step in spacing)
            if image.unit == "mm" and _is_no_size(image):
                said = f"its voxels of {words} mm × {image.shape} are no size of a scan of a patient"
                yield make_finding("size-implausible", f"{case} {channel}", said, "correct the unit of its header")
            elif len(images) >= FEW and np.abs(np.log(spacing / usual)).max() > math.log(SPACING):
                said = f"its spacing is {words} {image.unit}, usual is {' × '.join(f'{step:.4g}' for step in usual)}"
                remedy = "make sure that it is right; the plan follows the median, so little is left of such a scan"
                yield make_finding("spacing-outlier", f"{case} {channel}", said, remedy)


def _is_no_size(image: ImageFacts) -> bool:
    extent = np.multiply(image.shape, image.spacing).max()
    return bool(min(image.spacing) < LEAST_MM or max(image.spacing) > LARGEST_MM or extent > LONGEST_MM)


def find_values(cases: Cases, modalities: dict[str, str]) -> Iterator[Finding]:
    """CT whose values are no Hounsfield units, and ranges of values far from the usual one."""
    for channel, images in _by_channel(cases).items():
        modality = modalities.get(channel, "")
        usual = np.median([image.high - image.low for image in images.values()])
        for case, image in images.items():
            subject, spread = f"{case} {channel}", image.high - image.low
            words = f"from {image.low:.4g} to {image.high:.4g}"
            if modality == "CT" and (why := _find_no_hu(image)):
                remedy = "convert it again from DICOM, or correct the modality of the channel"
                yield make_finding("values-not-hu", subject, f"its values, {words}, are {why}", remedy)
            elif len(images) >= FEW and spread > 0 and usual > 0 and _is_far(spread / usual, RANGE):
                said = f"its values run {words}, {_times(spread / usual)} the usual range"
                # The values of other modalities have no unit and are normalised image by image.
                severity: Severity = "warning" if modality in ("CT", "PT") else "note"
                remedy = "make sure that it is in the unit of the others"
                yield make_finding("values-outlier", subject, said, remedy, severity)


def _find_no_hu(image: ImageFacts) -> str:
    if 0 < image.high - image.low < LEAST_HU_RANGE:
        return "no Hounsfield units but scaled ones"
    if image.least >= 0 and image.middle > BRIGHT_HU:
        return "no Hounsfield units, as if 1024 had not been taken off"
    return ""


def _is_far(ratio: float, factor: float) -> bool:
    return not 1 / factor < ratio < factor


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times" if ratio > 1 else f"1/{1 / ratio:.3g} of"


def find_borders(cases: Cases) -> Iterator[Finding]:
    """Labels that touch the border of their volume; where most do, that is how they are, and said once."""
    volumes = [case for case in cases if case.labels and _unit(case) == "mm"]
    for name in _names(volumes):
        having = [(case, case.labels[name]) for case in volumes if case.labels and name in case.labels]
        touching = {case.id: words for case, label in having if (words := _name_touched(case, label))}
        if len(touching) > len(having) / 2 and len(having) >= FEW:
            said = f"in {len(touching)} of {len(having)} cases the label {name} touches the border of the image"
            yield make_finding("label-at-border", "cohort", said, severity="note")
            continue
        for case_id, words in touching.items():
            said = f"the label {name} touches the border of the image: {words}"
            remedy = "scan or cut it wider, or keep it knowing that a part is missing"
            yield make_finding("label-at-border", case_id, said, remedy)


def _name_touched(case: CaseFacts, label: LabelFacts) -> str:
    image = next(iter(case.images.values()))
    sides = zip(SIDES, label.margins, image.shape, strict=True)
    return ", ".join(
        side for names, margin, size in sides if size > 1 for side, left in zip(names, margin, strict=True) if left == 0
    )


def find_margins(cases: Cases) -> Iterator[Finding]:
    """Margins around all labels that hardly differ between cases whose labels differ: they were cut out by them."""
    marked = [case for case in cases if case.margins and case.images and _unit(case) == "mm"]
    if len(marked) < 2 * FEW:
        return
    margins = np.array([case.margins for case in marked])
    sizes = np.array([next(iter(case.images.values())).shape for case in marked])
    extents = sizes - margins.sum(axis=2)
    for axis, words in enumerate(AXES):
        usual = np.median(margins[:, axis], axis=0)
        near = (np.abs(margins[:, axis] - usual) <= 1).all(axis=1)
        if near.mean() >= 0.9 and np.ptp(extents[near, axis]) > 4:
            said = f"in {near.sum()} of {len(marked)} cases {usual[0]:.0f} and {usual[1]:.0f} voxels lie between the"
            said += f" labels and the border {words}, as if images had been cut around their labels"
            remedy = "train on whole images; else scans must be cut in the same way before they are predicted"
            yield make_finding("label-margin-constant", "cohort", said, remedy)


def find_pieces(cases: Cases) -> Iterator[Finding]:
    """Specks beside a label and holes in it."""
    for case, name, label in _labels(cases):
        if label.specks:
            said = f"the label {name} has {_count(label.specks, 'speck')} of at most 3 voxels"
            yield make_finding("label-specks", case.id, said, "take them away if they aren't meant")
        if label.holes:
            said = f"the label {name} encloses {_count(label.holes, 'hole')} of {_count(label.hole_voxels, 'voxel')}"
            yield make_finding("label-holes", case.id, said, "fill them if they aren't meant")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def find_strides(cases: Cases) -> Iterator[Finding]:
    """Labels on every second slice, or third: contours of the slices between were left out."""
    for case, name, label in _labels(cases):
        if label.stride > 1:
            said = f"the label {name} lies on only every {_ordinal(label.stride)} slice"
            yield make_finding("label-every-nth-slice", case.id, said, "fill the slices between")


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def find_empty(cases: Cases) -> Iterator[Finding]:
    """Cases without any voxel of a label, and those that lack one that others have and that was looked for."""
    names = _names(cases)
    for case in cases:
        lacking = [name for name in names if name not in (case.labels or ()) and name not in case.unknown]
        if case.labels == {} and (lacking or not names):
            said = "it holds no label, so it teaches background only"
            yield make_finding("label-empty", case.id, said, "make sure that there is nothing to mark")
        elif case.labels == {}:
            said = "it holds no label, and nobody looked for one, so it teaches nothing"
            yield make_finding("label-empty", case.id, said, "leave it out")
        elif case.labels and lacking:
            yield make_finding("label-empty", case.id, f"it has no voxel of {', '.join(lacking)}", severity="note")


def find_unused(cases: Cases, names: Sequence[str]) -> Iterator[Finding]:
    """Labels that are declared and that no case holds, while others are held; that none is held is another matter."""
    held = _names(cases)
    if held and all(case.labels is not None for case in cases):
        for name in names:
            if name not in held:
                remedy = "leave the label out, or say which values mean it with --label-values"
                said = f"the label {name} is declared, but no case holds a voxel of it"
                yield make_finding("label-empty", "cohort", said, remedy)


def find_hands(cases: Cases) -> Iterator[Finding]:
    """Images whose axes are stored in the other handedness than those of most: right if the affine is, and odd."""
    for channel, images in _by_channel(cases).items():
        right = sum(image.right_handed for image in images.values())
        rare = right < len(images) - right
        few = [case for case, image in images.items() if image.right_handed == rare]
        if few and len(images) >= FEW and len(few) <= RARE * len(images):
            for case in few:
                odd = f"its axes are stored {'right' if rare else 'left'}-handed, those of most are not"
                remedy = "make sure that left and right weren't swapped when it was converted"
                yield make_finding("handedness-differs", f"{case} {channel}", odd, remedy)


def find_sides(cases: Cases) -> Iterator[Finding]:
    """Labels on the other side than in nearly all cases, of the image or of another label."""
    volumes = [case for case in cases if case.labels and _unit(case) == "mm"]
    pairs = list(combinations(_names(volumes), 2))
    for pair in pairs:
        yield from _find_swapped(volumes, *sorted(pair, key=lambda name: "right" in name.casefold()))
    for axis, sides in enumerate(SIDES):
        for name, other in [*((name, "the middle") for name in _names(volumes)), *pairs]:
            places = {case.id: place for case in volumes if (place := _place(case, name, other, axis)) is not None}
            for case_id, side, count in _find_other_side(places):
                said = f"the label {name} lies {sides[side]} of {other}, in {count} other cases {sides[1 - side]} of it"
                yield make_finding("side-differs", case_id, said, _FLIPPED)


def _place(case: CaseFacts, name: str, other: str, axis: int) -> float | None:
    """Where a label lies, from -1 to 1, seen from the middle of the image or from another label."""
    labels = case.labels or {}
    if name not in labels or (other not in labels and other != "the middle"):
        return None
    return labels[name].centre[axis] - (labels[other].centre[axis] if other in labels else 0.0)


_FLIPPED = "make sure that image and label weren't flipped when they were converted"


def _find_swapped(cases: Cases, left: str, right: str) -> Iterator[Finding]:
    """Labels whose names say which is left: the left of the patient has the lower x."""
    if "left" not in left.casefold() or left.casefold().replace("left", "right") != right.casefold():
        return
    for case in cases:
        if (_place(case, left, right, 0) or 0) > 0:
            yield make_finding("side-differs", case.id, f"the label {left} lies right of {right}", _FLIPPED)


def _find_other_side(places: dict[str, float]) -> Iterator[tuple[str, int, int]]:
    """Cases on the other side than the rest, their side (0 low, 1 high) and how many lie on the other.

    The rest has a side if nearly all cases lie clearly off the middle, and so few exceptions would be improbable were
    each of them on either side by chance.
    """
    sided = {case: value > 0 for case, value in places.items() if abs(value) > OFF_CENTRE}
    high = sum(sided.values())
    few = min(high, len(sided) - high)
    undecided = len(places) - len(sided)
    chance = 2 * sum(math.comb(len(sided), k) for k in range(few + 1)) / 2 ** len(sided)
    if few + undecided <= RARE_SIDE * len(places) and chance < CHANCE:
        rare = high == few
        yield from ((case, int(rare), len(sided) - few) for case, side in sided.items() if side == rare)


def find_mirrored(cases: Cases) -> Iterator[Finding]:
    """Images that resemble the others only when left and right are swapped.

    What remains of an image in small when its mirror image is taken off is compared with that of the others by the
    cosine between them: where bodies are alike it is positive, and negative for a mirrored one. It counts only where
    all are alike: of boxes around sarcomas of limbs, drawn by chance, 8 gave a false alarm in 14 % of the draws where
    half of them were enough, and in 1 % as it is.
    """
    for channel, images in _by_channel(cases).items():
        if len(images) < 2 * FEW or next(iter(images.values())).unit == "px":
            continue
        sided = np.array([_take_sided_part(image) for image in images.values()])
        alike = np.array([_cosine(part, sided.sum(axis=0) - part) for part in sided])
        mirrored = [case for case, value in zip(images, alike, strict=True) if value < -ALIKE]
        unlike = int((np.abs(alike) <= ALIKE).sum())
        if unlike <= UNLIKE * len(images) and len(mirrored) <= RARE * len(images):
            said = "it resembles the other cases only with left and right swapped"
            yield from (make_finding("image-mirrored", f"{case} {channel}", said, _FLIPPED) for case in mirrored)


def _take_sided_part(image: ImageFacts) -> npt.NDArray[np.float64]:
    part = (image.coarse - image.coarse[::-1]).ravel()
    norm = float(np.linalg.norm(image.coarse - image.coarse.mean()))
    return part / norm if norm else part


def _cosine(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / length if length else 0.0


def _by_channel(cases: Cases) -> dict[str, dict[str, ImageFacts]]:
    channels: dict[str, dict[str, ImageFacts]] = defaultdict(dict)
    for case in cases:
        for channel, image in case.images.items():
            channels[channel][case.id] = image
    return channels


def _labels(cases: Cases) -> Iterator[tuple[CaseFacts, str, LabelFacts]]:
    return ((case, name, label) for case in cases for name, label in (case.labels or {}).items())


def _names(cases: Cases) -> list[str]:
    return list(dict.fromkeys(name for _, name, _ in _labels(cases)))


def _unit(case: CaseFacts) -> str:
    return next((image.unit for image in case.images.values()), "")
