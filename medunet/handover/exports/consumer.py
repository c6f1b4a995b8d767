"""What a program must do around an exported network, as data: the JSON beside the file."""

from collections.abc import Sequence
from typing import Any

from medunet.bundle import Recipe
from medunet.handover.exports.windows import Compared
from medunet.labels import LabelTable
from medunet.records import Record


class TensorFacts(Record):
    """A tensor that goes in or comes out."""

    name: str
    """Its name, where the format knows names."""
    axes: str
    """Its axes, in order: patches, channels, then voxels nearest to x, y, z of the patient (RAS)."""
    channels: tuple[str, ...]
    """What each channel is."""
    dtype: str = "float32"
    """Type of its numbers."""


class WindowFacts(Record):
    """How patches cover a prepared scan, and how logits of those that overlap become one."""

    patch: tuple[int, ...]
    """Voxels along each axis; 0 where the whole scan is taken at once."""
    multiple_of: int
    """Voxels along an axis of other patches must be a multiple of this."""
    at_least: int
    """And no fewer than this."""
    overlap: float
    """Share of a patch that its neighbour covers too."""
    weights: str
    """Of a patch's logits in the mean: `gaussian`, as of monai.inferers.SlidingWindowInferer, or `constant`."""
    padding: str
    """How a scan smaller than a patch is filled up, as torch.nn.functional.pad calls it."""
    slices_across: int | None
    """Axis across which slices lie, for a network of 2 axes."""


class DecisionFacts(Record):
    """How logits become labels."""

    kind: str
    """`largest`: of the outputs; `regions`: the last output above 0; `threshold`: the only one, from `threshold` on."""
    values: tuple[int, ...]
    """Label value of each output."""
    activation: str
    """Of the outputs, before they are brought back and decided."""
    threshold: float
    """See `kind`."""
    temperature: float = 1.0
    """By which logits are divided before a softmax or a sigmoid makes probabilities of them; labels are the same."""
    restored: str
    """What is resampled back to the grid of the scan: `linear` the outputs, before the decision; `nearest` labels."""
    steps: tuple[dict[str, Any], ...]
    """MONAI's transforms of the label map afterwards."""
    objects: bool
    """Outputs are interior and border of objects, which `medunet.objects.separate_objects` makes numbers of."""


class Consumer(Record):
    """The JSON beside an exported network."""

    bundle: str
    """Name of the bundle."""
    version: str
    """Of the bundle."""
    weights: dict[str, str]
    """SHA-256 of each file of weights; of several the mean of the logits comes out."""
    format: str
    """What the file is."""
    files: dict[str, str]
    """SHA-256 of each file, by its name."""
    written_by: dict[str, str]
    """Versions of what wrote it."""
    input: TensorFacts
    """What goes in."""
    output: TensorFacts
    """What comes out."""
    before: tuple[dict[str, Any], ...]
    """Transforms of MONAI, in order, from the files of a scan to the image (C, I, J, K) that patches are cut from."""
    window: WindowFacts
    """How."""
    after: DecisionFacts
    """What is done with the mean of the logits."""
    labels: LabelTable
    """What label values mean."""
    compared: tuple[Compared, ...]
    """With PyTorch, before it got its name."""


def describe_window(recipe: Recipe, smallest: int) -> WindowFacts:
    """How patches cover a scan by a recipe."""
    window = recipe.window
    return WindowFacts(
        patch=tuple(window.patch[: window.dims]) if window.axis == 2 or window.dims == 3 else tuple(window.patch),
        multiple_of=max(smallest // 2, 1),
        at_least=smallest,
        overlap=window.overlap,
        weights=window.mode,
        padding=window.padding,
        slices_across=window.axis if window.dims == 2 else None,
    )


def describe_decision(recipe: Recipe) -> DecisionFacts:
    """How logits become labels by a recipe."""
    decision = recipe.decision
    return DecisionFacts(
        kind=decision.kind,
        values=decision.values,
        activation=decision.activation,
        threshold=decision.threshold,
        temperature=decision.temperature,
        restored=recipe.restoring,
        steps=decision.steps,
        objects=recipe.task.labels.objects,
    )


def describe_tensors(recipe: Recipe, names: Sequence[str]) -> tuple[TensorFacts, TensorFacts]:
    """What goes in and what comes out by a recipe."""
    task = recipe.task
    axes = "B, C, I, J, K" if recipe.window.dims == 3 else "B, C, I, J"
    inputs = tuple(channel for channel in task.channels for _ in range(task.count_components(channel)))
    first, last = names
    return (
        TensorFacts(name=first, axes=axes, channels=inputs),
        TensorFacts(name=last, axes=axes, channels=recipe.name_outputs()),
    )
