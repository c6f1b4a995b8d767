"""The parts of a recipe, as typed data: all that inference needs of a bundle, whoever wrote it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from medunet.bundle.seen import Seen
from medunet.measuring import ValueRange
from medunet.postprocessing import NOTHING, Cleaning
from medunet.task import Task

Step = dict[str, Any]
"""A `_target_` dictionary of a transform."""


@dataclass(frozen=True, slots=True)
class Window:
    """How patches cover a prepared scan.

    Attributes:
        patch: voxels along x, y, z of the network's grid; 1 along z for a network of slices, 0 where the whole scan is
            taken at once.
        overlap: share of a patch that its neighbour covers too.
        mode: weights of a patch's voxels in the sum: a Gaussian around its centre, or all alike.
        dims: spatial axes of the network.
        padding: how a scan smaller than a patch is filled up, as `torch.nn.functional.pad` calls it.
        axis: across which slices lie.
    """

    patch: tuple[int, int, int]
    overlap: float
    mode: Literal["gaussian", "constant"]
    dims: Literal[2, 3]
    padding: str = "constant"
    axis: int = 2

    def fit(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """The patch for a prepared scan of this shape (I, J, K)."""
        i, j, k = (size or length for size, length in zip(self.patch, shape, strict=True))
        return i, j, k


@dataclass(frozen=True, slots=True)
class Decision:
    """How logits become label values.

    Attributes:
        kind: "largest": the output of the largest logit. "regions": the last output whose logit is above 0, background
            where there is none. "threshold": the only output where it isn't below `threshold`.
        values: label value of each output.
        activation: of the outputs, before they are brought back and decided.
        threshold: of the kind that is called so.
        steps: MONAI's transforms of the label map `pred` (1, I, J, K), as `_target_` dictionaries.
        cleaned: where that is done: on the network's grid before labels are brought back, or on the source grid.
        thresholds: of each output the probability from which on it is taken, None where none is set; empty where no
            output has one.
        unsure: nobody says what makes outputs probabilities; else a softmax does of the kind "largest", a sigmoid of
            the others.
        temperature: by which logits are divided before that; masks are made as without it, but where a threshold is
            set.
    """

    kind: Literal["largest", "regions", "threshold"]
    values: tuple[int, ...]
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    threshold: float = 0.0
    steps: tuple[Step, ...] = ()
    cleaned: Literal["before", "after"] = "after"
    thresholds: tuple[float | None, ...] = ()
    unsure: bool = False
    temperature: float = 1.0

    def temper(self, logits: Any) -> Any:
        """Logits of which a softmax or a sigmoid makes probabilities."""
        return logits if self.temperature == 1 else logits / self.temperature


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """What MONAI's parser made of a trusted bundle from elsewhere, where it is more than data.

    Attributes:
        network: without weights; None where it is data.
        postprocessing: from a dictionary with the prepared `image` and the outputs `pred` to one with the label map
            `pred`; None where it is data.
        pickles: weights may be read that hold more than tensors.
    """

    network: Any = None
    postprocessing: Any = None
    pickles: bool = False


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
        restoring: how results come back to the source grid: "linear" the outputs, before the decision; "nearest" the
            labels, after it.
        decision: how outputs become label values.
        cleaning: parts of the label map that are left out on the source grid, at last.
        extent_mm: largest extents of the scans of training along x, y, z, where they are known.
        values: of the scans of training, by channel, as far as they are known.
        peak_gib: memory that a prediction was foreseen to take with the largest case of training.
        trusted: SHA-256 of the files of which more than data was evaluated, "" where nothing was.
        origin: who wrote the bundle. MONAI fills up with 0 what a chain of elsewhere has cropped.
        entry: under which the file of weights holds those of the network; all of it where it has no such entry.
        notes: what was repaired or is done otherwise than by MONAI, for every mask.
        doubts: what makes every mask doubtful, in words.
        evaluated: parts of a trusted bundle from elsewhere.
        seen: what training was like, where the bundle says so.
        mirrored: axes of a patch that training mirrored; None where nothing says it.
        body: of the first channel, a CT, only the box around the body is predicted.
    """

    name: str
    version: str
    task: Task
    inputs: tuple[str, ...]
    preprocessing: tuple[Any, ...]
    network: Step
    window: Window
    restoring: Literal["linear", "nearest"]
    decision: Decision
    cleaning: Cleaning = NOTHING
    extent_mm: tuple[float, float, float] | None = None
    values: Mapping[str, ValueRange] = field(default_factory=dict)
    peak_gib: float | None = None
    trusted: str = ""
    origin: Literal["medunet", "elsewhere"] = "medunet"
    entry: str = ""
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    evaluated: Evaluated | None = None
    seen: Seen | None = None
    mirrored: tuple[int, ...] | None = None
    body: bool = False

    @property
    def gives_probabilities(self) -> bool:
        """Whether it is known how the outputs become probabilities."""
        own = self.evaluated is not None and self.evaluated.postprocessing is not None
        return not (own or self.decision.unsure)

    def name_outputs(self) -> tuple[str, ...]:
        """What each output of the network is called: as the label that is made of it, or as the background."""
        if self.origin == "medunet" or self.decision.kind == "regions":
            return self.task.name_classes()
        renamed = dict(zip(range(256), range(256), strict=True))
        for step in self.decision.steps:
            if step["_target_"] == "MapLabelValued":
                pairs = dict(zip(step.get("orig_labels", ()), step.get("target_labels", ()), strict=False))
                renamed = {value: int(pairs.get(now, now)) for value, now in renamed.items()}
        names = {0: "background", **{label.value: label.name for label in self.task.labels.labels}}
        return tuple(names.get(renamed[value], f"label {value}") for value in self.decision.values)
