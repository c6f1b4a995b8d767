"""How well probabilities hold, as a record, and the one temperature that makes them hold better.

A *temperature* divides the logits of a network before a softmax or a sigmoid makes probabilities of them (Guo et al.
2017, arXiv:1706.04599). The largest logit stays the largest, and one above 0 stays above 0, so that masks are what they
were. It is the one with the least negative log-likelihood of what is true.

The *expected calibration error* (ECE) sorts probabilities into ten bins of one width and takes the mean, by their
number, of the distance between the mean probability of a bin and the share of it that came true (Naeini et al. 2015).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_expit, logsumexp

from medunet.records import Record

BINS = 10
"""Of probabilities."""
COLDEST, HOTTEST = 0.1, 10.0
"""Between which a temperature is looked for."""
DIGITS = 4
"""Of a temperature and of what is measured."""

Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]
Outputs = Mapping[str, Sequence[int]]
"""Outputs of the network that make each label or region, by its name."""


class Bin(Record):
    """Probabilities of one bin."""

    count: int
    """How many."""
    probability: float
    """Their mean."""
    share: float
    """Share of them that came true."""


class Curve(Record):
    """A reliability curve."""

    count: int
    """Probabilities that it is of."""
    ece: float | None
    """Expected calibration error; None where there are none."""
    bins: tuple[Bin, ...] = ()
    """Of those that hold some, from the lowest on."""


class StructureCalibration(Record):
    """How well the probabilities of one label or region hold, as the network gives them and by temperature."""

    voxels_before: Curve
    """Of voxels, as the network gives them."""
    voxels_after: Curve
    """Of the same voxels, each by the temperature of the other cases."""
    lesions_before: Curve
    """Of predicted parts (objects), each by the mean probability of its voxels."""
    lesions_after: Curve
    """Of the same parts, as `voxels_after`."""


class Calibration(Record):
    """`docs/calibration.json` of a bundle: its temperature, and what that was found by."""

    weights: tuple[str, ...]
    """SHA-256 of the bundle's files of weights, sorted."""
    temperature: float
    """By which logits are divided; of an ensemble the mean of those of its folds."""
    cases: int
    """Held-out cases that it was fitted on, each as the network without it predicts it."""
    voxels: int
    """Of these cases that were drawn."""
    others: tuple[float, ...]
    """The temperature without each fold, or where there is one only without each fifth of its cases."""
    likelihood_before: float
    """Mean negative log-likelihood of a voxel, as the network gives it, over cases."""
    likelihood_after: float
    """The same, each case by the temperature of the others."""
    structures: dict[str, StructureCalibration]
    """By name of the label or region."""

    def describe(self) -> str:
        """What it came to, in words."""
        errors = ", ".join(
            f"{name} {_say(item.voxels_before.ece)} before and {_say(item.voxels_after.ece)} after"
            for name, item in self.structures.items()
        )
        cases = f"{self.cases} held-out case{'s' if self.cases != 1 else ''}"
        return f"temperature {self.temperature:g} by {cases}; ECE of voxels: {errors}"


def _say(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Logits of voxels that were drawn, with what is true of them.

    Attributes:
        logits: (outputs, N) float32.
        truth: (structures, N), which of them each voxel belongs to, in the order of the outputs' names.
    """

    logits: Floats
    truth: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A predicted part of a structure, or a predicted object.

    Attributes:
        structure: its name.
        right: it is one of the truth's.
        logits: (outputs, N) float32 of voxels of it.
    """

    structure: str
    right: bool
    logits: Floats


@dataclass(frozen=True, slots=True, eq=False)
class CaseDrawn:
    """What was drawn of one held-out case.

    Attributes:
        group: cases of one group have a temperature of the others.
        voxels: from around what is there and what was found.
        parts: that were found.
    """

    group: int
    voxels: Drawn
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """What makes probabilities of logits.

    Attributes:
        outputs: of each structure.
        exclusive: a softmax makes them, of which a structure has the sum over its outputs; else a sigmoid.
    """

    outputs: Outputs
    exclusive: bool

    def find_probabilities(self, logits: Floats, temperature: float = 1.0) -> Floats:
        """Probability (structures, N) of each structure, of logits (outputs, N)."""
        scaled = logits.astype(np.float64) / temperature
        if not self.exclusive:
            return np.asarray(np.exp(log_expit(scaled[[outputs[0] for outputs in self.outputs.values()]])))
        likely = np.exp(scaled - logsumexp(scaled, axis=0))
        return np.stack([likely[list(outputs)].sum(axis=0) for outputs in self.outputs.values()])

    def find_losses(self, drawn: Drawn, temperature: float) -> Floats:
        """Negative log-likelihood (N,) of what is true of each voxel."""
        scaled = drawn.logits.astype(np.float64) / temperature
        if not self.exclusive:
            own = scaled[[outputs[0] for outputs in self.outputs.values()]]
            return np.asarray(-log_expit(np.where(drawn.truth, own, -own)).sum(axis=0))
        named = {number for outputs in self.outputs.values() for number in outputs}
        others = [number for number in range(len(scaled)) if number not in named]
        groups = [logsumexp(scaled[list(group)], axis=0) for group in (others, *self.outputs.values())]
        true = np.where(drawn.truth.any(axis=0), drawn.truth.argmax(axis=0) + 1, 0)
        return np.asarray(logsumexp(scaled, axis=0) - np.take_along_axis(np.stack(groups), true[None], axis=0)[0])


def fit_temperature(cases: Sequence[CaseDrawn], scale: Scale) -> float:
    """The temperature with the least negative log-likelihood, each case by its mean so that all count alike.

    The likelihood has one minimum, since it is convex in what logits are multiplied by. It is looked for by Brent's
    bounded search over the logarithm of the temperature.

    Args:
        cases: with one voxel at least; 1 comes out of none.
        scale: of their logits.
    """
    if not cases:
        return 1.0
    found = minimize_scalar(
        lambda power: measure_likelihood(cases, scale, [exp(power)] * len(cases)),
        bounds=(log(COLDEST), log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return round(float(exp(found.x)), DIGITS)


def measure_likelihood(cases: Sequence[CaseDrawn], scale: Scale, temperatures: Sequence[float]) -> float:
    """Mean negative log-likelihood of a voxel over cases, each by its own temperature."""
    pairs = zip(cases, temperatures, strict=True)
    return float(np.mean([scale.find_losses(case.voxels, temperature).mean() for case, temperature in pairs]))


def measure_curve(probabilities: Floats, outcomes: Flags) -> Curve:
    """The reliability curve of probabilities (N,), with whether each came true.

    >>> measure_curve(np.array([0.9, 0.9]), np.array([True, False])).ece
    0.4
    """
    if not len(probabilities):
        return Curve(count=0, ece=None)
    places = np.minimum((probabilities * BINS).astype(np.intp), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    likely = np.bincount(places, probabilities, BINS)
    true = np.bincount(places, outcomes.astype(np.float64), BINS)
    held = np.flatnonzero(counts)
    ece = float(np.abs(likely - true).sum() / len(probabilities))
    bins = [
        Bin(
            count=int(counts[n]),
            probability=round(float(likely[n] / counts[n]), DIGITS),
            share=round(float(true[n] / counts[n]), DIGITS),
        )
        for n in held
    ]
    return Curve(count=len(probabilities), ece=round(ece, DIGITS), bins=tuple(bins))


def calibrate(cases: Sequence[CaseDrawn], scale: Scale, weights: Sequence[str]) -> Calibration:
    """Fit the temperature, and measure what it does to cases that it wasn't fitted on.

    Args:
        cases: with one voxel at least each.
        scale: of their logits.
        weights: SHA-256 of the files of weights.
    """
    groups = sorted({case.group for case in cases})
    every = fit_temperature(cases, scale)
    # The only case there is has no others.
    fitted = {
        group: fit_temperature([case for case in cases if case.group != group], scale) if len(groups) > 1 else every
        for group in groups
    }
    after = [fitted[case.group] for case in cases]
    before = [1.0] * len(cases)
    structures = {}
    for number, name in enumerate(scale.outputs):
        curves = [_measure_both(cases, scale, temperatures, number, name) for temperatures in (before, after)]
        (voxels_before, lesions_before), (voxels_after, lesions_after) = curves
        structures[name] = StructureCalibration(
            voxels_before=voxels_before,
            voxels_after=voxels_after,
            lesions_before=lesions_before,
            lesions_after=lesions_after,
        )
    return Calibration(
        weights=tuple(sorted(weights)),
        temperature=every,
        cases=len(cases),
        voxels=sum(case.voxels.logits.shape[1] for case in cases),
        others=tuple(fitted.values()),
        likelihood_before=round(measure_likelihood(cases, scale, before), DIGITS),
        likelihood_after=round(measure_likelihood(cases, scale, after), DIGITS),
        structures=structures,
    )


def _measure_both(
    cases: Sequence[CaseDrawn], scale: Scale, temperatures: Sequence[float], number: int, name: str
) -> tuple[Curve, Curve]:
    """Curves of a structure's voxels and of its parts."""
    likely, true, means, right = [], [], [], []
    for case, temperature in zip(cases, temperatures, strict=True):
        likely.append(scale.find_probabilities(case.voxels.logits, temperature)[number])
        true.append(case.voxels.truth[number])
        own = [part for part in case.parts if part.structure == name]
        means += [scale.find_probabilities(part.logits, temperature)[number].mean() for part in own]
        right += [part.right for part in own]
    return (
        measure_curve(np.concatenate(likely), np.concatenate(true)),
        measure_curve(np.array(means, dtype=np.float64), np.array(right, dtype=np.bool_)),
    )
