"""Smaller networks than a bundle's, on its grid and on coarser ones."""

import math

import numpy as np

from medunet.errors import BundleError
from medunet.measuring import Fingerprint
from medunet.planning import NetworkPlan, Plan, choose_topology, plan_patch
from medunet.planning.choice import estimate_work
from medunet.planning.rules import ORDERS, Spacing, Triple, plan_filters
from medunet.preparation import place_patches

SHARES = (1.0, 0.75, 0.5, 0.375, 0.25)
"""Of the features of the teacher's first level."""
COARSER = (1.0, 1.25, 1.5, 2.0)
"""Edges of a voxel, as cubes of the same volume, beside the teacher's."""
LEAST_WIDTH = 4
LEAST_LEVELS = 3
"""Of a DynUNet."""
USUAL_WIDTH = 32
"""Taken for that of a teacher that is no U-Net of medunet's."""


def list_students(teacher: Plan, fingerprint: Fingerprint, shape: Triple, spacing_mm: Spacing) -> list[Plan]:
    """Plans of smaller networks, the one with the most work for a scan first.

    Args:
        teacher: whose channels, labels, chain and training they have.
        fingerprint: of the teacher's cohort.
        shape: voxels of the scan, along x, y, z.
        spacing_mm: of a voxel of it.

    Raises:
        BundleError: there is none.
    """
    first = (teacher.network.filters or (USUAL_WIDTH,))[0]
    least = min(LEAST_WIDTH, first)
    widths = [first, *(max(least, round(first * share / 4) * 4) for share in SHARES[1:])]
    found: list[Plan] = []
    for factor in COARSER:
        grid = coarsen(teacher.grid.spacing_mm, factor, teacher.network.dims)
        for width in dict.fromkeys(widths):
            plan = _make_student(teacher, fingerprint, grid, width)
            levels = len(plan.network.filters)
            if levels >= LEAST_LEVELS and not _is_teacher(plan, teacher) and plan not in found:
                found.append(plan)
    if not found:
        raise BundleError("plan.json", "its network is the smallest that there is", "take it as it is")
    return sorted(found, key=lambda plan: -estimate_scan(plan, shape, spacing_mm))


def _is_teacher(plan: Plan, teacher: Plan) -> bool:
    same = plan.grid.spacing_mm == teacher.grid.spacing_mm and plan.network.filters == teacher.network.filters
    return same and teacher.network.given is None


def coarsen(spacing_mm: Spacing, factor: float, dims: int) -> Spacing:
    """A spacing whose voxels are as much larger as cubes of longer edges; the finest axes grow first.

    Args:
        spacing_mm: along the axes of a grid.
        factor: of the edge.
        dims: axes that grow, the first ones; slices stay where they are.
    """
    if factor <= 1:
        return spacing_mm
    own = np.array(spacing_mm[:dims])
    goal = float(own.prod()) * factor**dims
    low, high = float(own.min()), float(own.max()) * factor
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(own, middle).prod() < goal else (low, middle)
    x, y, z = [round(float(size), 4) for size in np.maximum(own, high)] + [*spacing_mm[dims:]]
    return x, y, z


def _make_student(teacher: Plan, fingerprint: Fingerprint, spacing: Spacing, width: int) -> Plan:
    dims, own = teacher.network.dims, teacher.network
    patch, strides, kernels = teacher.window.patch, own.strides, own.kernels
    if spacing != teacher.grid.spacing_mm or own.given is not None:
        if fingerprint.cases:
            median = fingerprint.median_shape_at(spacing, ORDERS[teacher.grid.axes])
            patch = plan_patch(median, spacing, math.prod(patch), dims)
        made = choose_topology(patch, spacing)
        patch, strides, kernels = made.patch, made.strides, made.kernels
    levels = len(strides)
    network = NetworkPlan(
        dims=dims,
        filters=plan_filters(width, levels, dims),
        strides=strides,
        kernels=kernels,
        heads=max(0, min(3, levels - 2)),
        residual=own.residual,
    )
    plan = teacher.change(grid={"spacing_mm": spacing}, window={"patch": patch})
    return plan.model_copy(update={"network": network, "source": ""})


def count_windows(plan: Plan, shape: Triple, spacing_mm: Spacing) -> int:
    """Patches of the sliding window over a scan, by its voxels and their size along x, y, z."""
    prepared = [
        shape[axis] if plan.network.dims == 2 and n == 2 else math.ceil(shape[axis] * spacing_mm[axis] / size)
        for n, (axis, size) in enumerate(zip(ORDERS[plan.grid.axes], plan.grid.spacing_mm, strict=True))
    ]
    window = plan.window
    padded = tuple(max(pair) for pair in zip(prepared, window.patch, strict=True))
    return len(place_patches(padded, window.patch, window.overlap))


def estimate_scan(plan: Plan, shape: Triple, spacing_mm: Spacing) -> float:
    """Multiplications for a scan up to a constant, as of `estimate_work`."""
    return count_windows(plan, shape, spacing_mm) * estimate_work(plan) / plan.training.batch


def describe_network(plan: Plan) -> str:
    """A network and its grid, in words."""
    spacing = " × ".join(f"{size:g}" for size in plan.grid.spacing_mm)
    return f"features {'-'.join(map(str, plan.network.filters))} on {spacing} mm"
