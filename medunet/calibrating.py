"""Find the temperature of a bundle on held-out cases, each as the network that never saw it predicts it."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medunet.bundle import Bundle, Recipe, take_recipe
from medunet.calibration import Calibration, CaseDrawn, Drawn, Part, Scale, calibrate
from medunet.cohort import Case, open_case
from medunet.errors import InputError
from medunet.evaluation import Choice, find_detections, match_detections
from medunet.inference import Predictor, find_prediction, open_predictor, predict_case, predict_cases
from medunet.inference.computing import PLAIN
from medunet.inference.confidence import find_outputs
from medunet.inference.sampling import LogitSamples
from medunet.labels import Mask, Region
from medunet.parts import Crop, find_extent, is_any, widen_box
from medunet.progress import track
from medunet.training import find_run

VOXELS = 20_000
"""That are drawn of a case at most."""
OF_PART = 500
"""The same of a part."""
LEAST = 16
"""Of a part, however many there are."""
VALUES = 8_000_000
"""Logits that are kept at most, of voxels of all cases; as many again of their parts."""
MARGIN = 10.0
"""Around what is there and what was found, mm or px: where a case is hard, since far from it all voxels are alike."""
GROUPS = 5
"""Into which the cases of a single fold are parted."""

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Held:
    """A held-out case.

    Attributes:
        case: it.
        group: cases of one group have a temperature of the others.
        truth: what is there.
        mask: what the network that never saw it found.
    """

    case: Case
    group: int
    truth: Mask
    mask: Mask


def check_calibrated(bundle: Bundle) -> Recipe:
    """The recipe of a bundle whose logits can be sampled.

    Raises:
        InputError: steps of another bundle make its labels.
    """
    recipe, _ = take_recipe(bundle)
    if recipe.origin != "medunet" or not find_outputs(recipe):
        found = "the chain of this bundle is that of another one, whose logits medunet doesn't sample"
        raise InputError("--calibrate", found, "leave it out", code="option-wrong")
    return recipe


def calibrate_bundle(bundle: Bundle, choices: Sequence[Choice]) -> Calibration:
    """Draw voxels of held-out cases, and fit the temperature.

    Of a case at most 20,000 voxels are drawn, at random by its name, from a box 10 mm (pixels) around all that is there
    or was found, or from all of a case in which nothing is; voxels that nobody looked at don't count.

    Args:
        bundle: a trained one; where it is an ensemble each fold's network predicts the fold's own cases.
        choices: of `choose_cases`, on its own cohort.

    Raises:
        InputError: steps of another bundle make its labels.
    """
    recipe = check_calibrated(bundle)
    room = VALUES // (sum(len(choice.cases) for choice in choices) * len(recipe.decision.values))
    drawn: list[CaseDrawn] = []
    for choice in choices:
        fold = int(choice.fold) if len(choices) > 1 else None
        with open_predictor(bundle, fold, PLAIN) as predictor:
            for held in _predict_held_out(bundle, predictor, choice, fold):
                drawn.append(draw_case(predictor, held.case, held.truth, held.mask, (held.group, room)))
    return calibrate(drawn, make_scale(recipe), [*bundle.metadata.weight_hashes.values()])


def _predict_held_out(bundle: Bundle, predictor: Predictor, choice: Choice, fold: int | None) -> Iterator[_Held]:
    """Held-out cases of a fold with their masks, which an ensemble keeps since it was trained."""
    folder = None if fold is None else find_run(bundle, fold).held_out
    if folder is not None:
        predict_cases(predictor, choice.cases, folder)
    for number, case in enumerate(track(choice.cases, "calibrating", len(choice.cases))):
        truth = open_case(choice.cohort, case)[1]
        mask = predict_case(predictor, case) if folder is None else find_prediction(folder, case, truth)
        yield _Held(case, number % GROUPS if fold is None else fold, truth, mask)


def make_scale(recipe: Recipe) -> Scale:
    """What makes probabilities of a recipe's logits."""
    return Scale(find_outputs(recipe), recipe.decision.kind == "largest")


def draw_case(predictor: Predictor, case: Case, truth: Mask, mask: Mask, bounds: tuple[int, int]) -> CaseDrawn:
    """Predict a case again and keep the logits of voxels that were drawn before.

    Args:
        predictor: whose network never saw it.
        case: of a cohort.
        truth: what is there.
        mask: what the predictor found.
        bounds: the group of the case, and how many voxels may be kept of it.
    """
    group, room = bounds
    random = np.random.default_rng(zlib.crc32(case.id.encode()))
    around = _draw_places(truth, mask, random, max(1, min(VOXELS, room)))
    parts = list(_list_parts(truth, mask))
    most = max(LEAST, min(OF_PART, room // max(1, len(parts))))
    inside = [random.choice(places, min(most, len(places)), replace=False) for _, _, places in parts]
    samples = LogitSamples(np.concatenate([around, *inside]), len(predictor.recipe.decision.values))
    predict_case(predictor, case, samples)
    of_voxels, *of_parts = np.split(samples.logits, np.cumsum([len(around), *map(len, inside)])[:-1], axis=1)
    true = np.stack([_take(truth, region)[tuple(around.T)] for region in truth.table.structures])
    named = zip(parts, of_parts, strict=True)
    return CaseDrawn(
        group=group,
        voxels=Drawn(of_voxels, true),
        parts=tuple(Part(name, right, logits) for (name, right, _), logits in named),
    )


def _draw_places(truth: Mask, mask: Mask, random: np.random.Generator, most: int) -> Places:
    """Voxels (N, 3) around truth and prediction that somebody looked at; all there are, or so many at random."""
    box = _find_surroundings(truth, mask)
    known = truth.is_known()
    start = np.array([side.start for side in box])
    if known is None:
        shape = tuple(side.stop - side.start for side in box)
        flat = random.choice(int(np.prod(shape)), min(most, int(np.prod(shape))), replace=False)
        return np.asarray(np.stack(np.unravel_index(flat, shape), axis=1) + start)
    places = np.argwhere(known[box])
    return np.asarray(random.choice(places, min(most, len(places)), replace=False) + start)


def _find_surroundings(truth: Mask, mask: Mask) -> Crop:
    """The box around all that is there or was found, and the margin; the whole grid where nothing is."""
    shape, spacing = truth.grid.shape, truth.grid.spacing
    found = find_extent(truth.is_labelled(), mask.is_labelled())
    first, second, third = (slice(0, length) for length in shape)
    return widen_box(found or (first, second, third), [ceil(MARGIN / size) for size in spacing], shape)


def _list_parts(truth: Mask, mask: Mask) -> Iterator[tuple[str, bool, Places]]:
    """Name of the structure, whether it is right, and voxels (N, 3) of each predicted part or object."""
    for region in truth.table.structures:
        if mask.kind == "instances":
            numbers, right = match_detections(mask.voxels, truth.voxels)
        else:
            numbers, right = find_detections(_take(mask, region), _take(truth, region))
        for number, box in enumerate(ndimage.find_objects(numbers), start=1):
            if box is not None:
                places = np.argwhere(numbers[box] == number) + [side.start for side in box]
                yield region.name, bool(right[number - 1]), places


def _take(mask: Mask, region: Region) -> Flags:
    """Voxels (I, J, K) of a structure."""
    return mask.voxels > 0 if mask.kind == "instances" else is_any(mask.voxels, region.values)
