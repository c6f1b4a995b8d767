"""The parts of a recipe, as typed data: all that inference needs of a bundle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from medunet.measuring import ValueRange
from medunet.postprocessing import NOTHING, Cleaning
from medunet.task import Task

Step = dict[str, Any]
"""A `_target_` dictionary of a transform."""


@dataclass(frozen=True, slots=True)
class Window:
    """How patches cover a prepared scan.

    Attributes:
        patch: voxels along x, y, z of the network's grid; 1 along z for a network of slices.
        overlap: share of a patch that its neighbour covers too.
        mode: weights of a patch's voxels in the sum: a Gaussian around its centre, or all alike.
        dims: spatial axes of the network.
    """

    patch: tuple[int, int, int]
    overlap: float
    mode: Literal["gaussian", "constant"]
    dims: Literal[2, 3]


@dataclass(frozen=True, slots=True)
class Decision:
    """How logits become label values.

    Attributes:
        kind: "largest": the output of the largest logit. "regions": the last output whose logit is above 0, background
            where there is none.
        values: label value of each output.
        thresholds: of each output the probability from which on it is taken, None where none is set; empty where no
            output has one.
    """

    kind: Literal["largest", "regions"]
    values: tuple[int, ...]
    thresholds: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that inference needs of a bundle but the weights; training has no part in it.

    Attributes:
        name: of the bundle.
        version: of the bundle.
        task: what is segmented.
        inputs: keys of the chain's images, one for each channel of the task, in its order.
        preprocessing: the chain from paths to the image, as `_target_` dictionaries; of a trusted bundle its steps are
            built where they are more than data.
        network: the `_target_` dictionary of the network.
        window: how patches cover the prepared scan.
        restoring: how logits come back to the source grid: linearly, before the decision.
        decision: how logits become label values.
        cleaning: parts of the label map that are left out on the source grid.
        extent_mm: largest extents of the scans of training along x, y, z, where they are known.
        values: of the scans of training, by channel, as far as they are known.
        peak_gib: memory that a prediction was foreseen to take with the largest case of training.
        trusted: SHA-256 of the inference.json of which more than data was evaluated, "" where nothing was.
    """

    name: str
    version: str
    task: Task
    inputs: tuple[str, ...]
    preprocessing: tuple[Any, ...]
    network: Step
    window: Window
    restoring: Literal["linear"]
    decision: Decision
    cleaning: Cleaning = NOTHING
    extent_mm: tuple[float, float, float] | None = None
    values: Mapping[str, ValueRange] = field(default_factory=dict)
    peak_gib: float | None = None
    trusted: str = ""
