"""Peak memory of each stage, predicted from a plan and what was measured of its cohort.

Each formula counts the arrays that exist together where a stage is at its highest; its constants are fitted to peaks
that were measured in processes of their own (docs/concepts/memory.md).
"""

import numpy as np

from medunet.measuring.crew import predict_measuring
from medunet.measuring.fingerprint import Fingerprint
from medunet.measuring.measures import CaseMeasure
from medunet.planning.plan import Plan
from medunet.planning.rules import BYTES_PER_FEATURE, ORDERS

PROGRAM_GIB = 0.41
"""GiB of a process that has loaded torch and MONAI."""
KERNELS_GIB = 0.08
"""What torch takes beside its arrays once a network computes."""
SOURCE_BYTES = 24
"""For a voxel of an image as it is read: its own value, one in float32 and two in float64, in which MONAI resamples."""
PREPARED_BYTES = 16
"""For a voxel of a prepared image: two copies in float64, or four in float32."""
PLACE_BYTES = 80
"""For a voxel of the prepared image that MONAI resamples: its place, by seven numbers in float64 and copies of them."""
OPTIMIZER_BYTES = 16
"""For a weight: itself, its gradient and two moments of AdamW."""
GRADIENTS = 2
"""Times the features of a patch that a training step of a network of another kind takes: themselves, and gradients."""
FORWARD_BYTES = 40
"""For a voxel and feature at full resolution in a forward pass without gradients."""


def predict_peaks(plan: Plan, fingerprint: Fingerprint) -> dict[str, float]:
    """GiB that each stage takes of the RAM at most, and of a GPU where training runs on one or shall fit one.

    Args:
        plan: complete but for this.
        fingerprint: its cohort's; the largest case counts.

    Returns:
        By stage: `measure` (each of its processes), `prepare`, `train` and `predict`, without the loader's processes;
        with a GPU `train_vram` and `predict_vram`, too.
    """
    prepared = max(count_prepared(plan, case) for case in fingerprint.cases)
    source = max(int(np.prod(case.shape)) for case in fingerprint.cases)
    most_bytes = max(case.voxel_bytes or 4 * int(np.prod(case.shape)) for case in fingerprint.cases)
    network, preparing = predict_network(plan), predict_preparing(plan, source, prepared)
    peaks = {
        "measure": predict_measuring(most_bytes),
        "prepare": preparing,
        "train": max(preparing, PROGRAM_GIB + network, predict_validation(plan, prepared)),
        "predict": predict_prediction(plan, source, prepared),
    }
    memory = plan.foreseen.memory
    if memory is not None and memory.gpu:
        peaks["train"] = max(preparing, predict_validation(plan, prepared))
    if memory is not None and memory.vram_gib is not None:
        peaks |= {"train_vram": network, "predict_vram": KERNELS_GIB + _count_forward(plan) / 2**30}
    return {stage: round(gib, 2) for stage, gib in peaks.items()}


def subtract_program(gib: float) -> float:
    """GiB that a process holds beyond torch and MONAI, which the prediction of every stage counts anyway."""
    return max(0.0, gib - PROGRAM_GIB)


def count_prepared(plan: Plan, case: CaseMeasure) -> int:
    """Voxels of a case on the grid of the network; slices of a 2D network stay where they are."""
    order = list(ORDERS[plan.grid.axes])
    sizes = np.array(case.shape, dtype=float)[order]
    if plan.task.unit == "mm":
        dims = plan.network.dims
        sizes[:dims] *= np.array(case.spacing_mm)[order][:dims] / np.array(plan.grid.spacing_mm)[:dims]
    return int(np.prod(np.maximum(1, np.round(sizes))))


def count_classes(plan: Plan) -> int:
    """Channels of a label map that is split into classes: outputs of the network, and what is ignored."""
    return len(plan.task.name_classes()) + (plan.task.labels.ignore is not None)


def count_weights(plan: Plan) -> int:
    """Weights of the network: two convolutions a level on the way down, a transposed one and two on the way up."""
    shape, inputs, weights = plan.network, plan.task.count_inputs(), 0
    if shape.given is not None:
        return shape.given.weights
    for features, kernel in zip(shape.filters, shape.kernels, strict=True):
        weights += int(np.prod(kernel)) * features * (inputs + features)
        inputs = features
    pairs = zip(shape.filters[:-1], shape.filters[1:], shape.kernels[:-1], shape.strides[1:], strict=True)
    for features, below, kernel, stride in pairs:
        weights += int(np.prod(stride)) * below * features + 3 * int(np.prod(kernel)) * features**2
    return weights


def predict_network(plan: Plan) -> float:
    """GiB of one training step: features of the batch with their gradients, and weights with their optimizer."""
    voxels = int(np.prod(plan.window.patch)) * plan.training.batch
    given = plan.network.given
    if given is None:
        step = BYTES_PER_FEATURE * plan.network.filters[0] * voxels
    else:
        step = GRADIENTS * given.patch_bytes * plan.training.batch
    return KERNELS_GIB + (step + OPTIMIZER_BYTES * count_weights(plan)) / 2**30


def predict_preparing(plan: Plan, source: int, prepared: int) -> float:
    """GiB of preparing a case of so many voxels as it is read and as it is prepared; its labels come after its image,
    plane by plane.
    """
    return PROGRAM_GIB + _count_image(plan, source, prepared) / 2**30


def _count_image(plan: Plan, source: int, prepared: int) -> int:
    """Bytes of an image as it is read and resampled, a channel at a time."""
    places = PLACE_BYTES * prepared if plan.task.unit == "mm" else 0
    return SOURCE_BYTES * source + PREPARED_BYTES * prepared * plan.task.count_inputs() + places


def predict_validation(plan: Plan, prepared: int) -> float:
    """GiB of validating a prepared case within training: image, labels, logits, both as one channel a class."""
    inputs, classes = plan.task.count_inputs(), count_classes(plan)
    weights = OPTIMIZER_BYTES * count_weights(plan)
    arrays = 4 * prepared * (inputs + 2 + 3 * classes)
    return PROGRAM_GIB + KERNELS_GIB + (arrays + weights + _count_forward(plan)) / 2**30


def predict_prediction(plan: Plan, source: int, prepared: int) -> float:
    """GiB of predicting a scan of so many voxels as it is read and as it is prepared."""
    inputs, classes = plan.task.count_inputs(), len(plan.task.name_classes())
    image = _count_image(plan, source, prepared)
    logits = 4 * prepared * (inputs + classes + 1) + _count_forward(plan) + 4 * source
    return PROGRAM_GIB + max(image / 2**30, KERNELS_GIB + logits / 2**30)


def _count_forward(plan: Plan) -> float:
    """Bytes of a forward pass of the sliding window, two patches at once, and of the weights."""
    given = plan.network.given
    if given is not None:
        return 2 * given.patch_bytes + 4 * given.weights
    return FORWARD_BYTES * plan.network.filters[0] * int(np.prod(plan.window.patch)) * 2 + 4 * count_weights(plan)
