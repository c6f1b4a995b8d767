"""How a plan is chosen: by Isensee's rules, and by what this machine does in the minutes given."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from medunet.cohort import Cohort, describe_split
from medunet.errors import BundleError, InputError
from medunet.measuring.fingerprint import Fingerprint
from medunet.measuring.measures import ChannelStatistics
from medunet.planning.losses import choose_loss
from medunet.planning.memory import Memory
from medunet.planning.mirroring import explain_sides
from medunet.planning.peaks import predict_peaks
from medunet.planning.plan import (
    TRAINING_SHARE,
    Foreseen,
    GivenNetwork,
    GridPlan,
    NetworkPlan,
    Normalization,
    Plan,
    TrainingPlan,
    WindowPlan,
)
from medunet.planning.rules import (
    CONTEXT,
    LABEL_VOXELS,
    ORDERS,
    PLANES,
    SLICED,
    Axes,
    Spacing,
    Triple,
    choose_axes,
    choose_dims,
    choose_topology,
    coarsen_spacing,
    plan_filters,
    plan_patch,
    plan_spacing,
    smallest_diameter,
)
from medunet.planning.surroundings import explain_cut_out, find_cut_out
from medunet.planning.swapped import WHY_LEARNING, Swapped, learn_otherwise
from medunet.progress import report
from medunet.sides import find_sides, join_sides
from medunet.task import Separation, Task
from medunet.terms import code_labels

WIDTHS = (32, 24, 16, 8)
"""Features of the first level that are tried, widest first."""
PATCH_EDGES = (128, 96, 80, 64, 48, 40)
"""Patches of as many voxels as these cubes are tried for each width, largest first. Isensee 2021 plans 128³ for
8 GB of GPU memory at a batch of 2."""
WIDE_EDGE = {2: 128, 3: 64}
"""A network wider than the narrowest isn't worth a smaller patch than this square or cube, unless that sees half of a
case on the grid of the cases: on a coarser one every patch does."""
SLICE_EDGES = (512, 384, 256, 192, 128, 96)
"""The same for squares of 2D patches."""
BATCH = {2: 8, 3: 2}
"""Patches of a step by the axes of the network."""
FASTER = 3.0
"""A wide network computes at most so many times faster per operation than the narrowest (measured 28 against 66
GFLOP/s); what is too slow even then is not timed."""
ENOUGH_STEPS = 900
"""In six minutes: with fewer steps a wider network or a larger patch learnt less in the demo. Of more time steps and
width get the same share, so steps grow with the square root of the minutes."""
EIGHT_GIB = Memory(ram_gib=8.0)

REASONS = {
    "channels": "those of the cohort, in its order; --channels takes fewer",
    "budget_minutes": "--budget, or 45",
    "memory": "--ram and --vram, or half of the RAM (at most 8 GiB without a GPU) and what a GPU has free",
    "peak_gib": "foreseen for the largest case from shapes and layers (docs/concepts/memory.md)",
    "speed": "timed here with the network, patch and batch of this plan",
    "normalization": "CT and PET carry units, so one fixed scale from the 0.5 and 99.5 percentiles, mean and "
    "sd inside the labels; every other channel, each of its components, by its own mean and sd (Isensee 2021)",
    "overlap": "half a patch, weighted by a Gaussian (Isensee 2021)",
    "foreground_share": "half of a batch, as with the third that Isensee 2021 forces, rounded up",
    "optimizer": "kernels by orthogonalized momentum (Jordan 2024), the rest by AdamW",
    "learning_rate": "of all but kernels, whose is 2.5 times that (Jordan 2024): measured on the lesions of the demo, "
    "whose loss is after 200 steps where it was after 700 at a quarter of it (docs/concepts/training.md)",
}
"""Reasons that are the same for every plan."""
WHY_BATCH = {
    2: "8: in 2D memory and time allow both whole slices and more than the 2 that are the least (Isensee 2021)",
    3: "at least 2, so that the patch can be as large as memory and time allow (Isensee 2021)",
}

BORDER = 2
"""Voxels of the border of objects."""
WHY_OBJECTS = (
    "labels number objects, and objects that touch are one to a network that knows only foreground: it learns interior "
    "and border, as the winners of the 2018 Data Science Bowl; smallest is the 0.5 percentile of the cohort's objects"
)


def make_plan(
    cohort: Cohort,
    fingerprint: Fingerprint,
    measure_step: Callable[[Plan], float],
    *,
    dims: Literal[2, 3] | None = None,
    memory: Memory = EIGHT_GIB,
    budget_minutes: float = 45.0,
    swap: Callable[[Plan], Swapped] | None = None,
) -> Plan:
    """Plan by Isensee's rules, with the widest network that still gets enough steps in the time.

    Args:
        cohort: channels and labels.
        fingerprint: what was measured of it.
        measure_step: seconds of one training step of a plan on this machine.
        dims: 3, or 2 for slices; None takes 2 where every image is one slice.
        memory: what training may take.
        budget_minutes: time for training.
        swap: another network, for the channels, labels and axes of a plan that has none yet.

    Returns:
        The plan; its `reasons` name every choice.

    Raises:
        InputError: there are slices and volumes, or slices and 3 `dims`.
        BundleError: the other network doesn't fit.
    """
    axes, task = _check_dims(dims, fingerprint), state_task(cohort, fingerprint)
    grid, why_grid = _plan_grid(axes, fingerprint)
    cut_out = find_cut_out(task, fingerprint.values) if axes == 3 else ()
    base = Plan(
        task=task,
        grid=GridPlan(
            **grid,
            normalization=_plan_normalizations(cohort, fingerprint),
            extent_mm=fingerprint.largest_extent() if fingerprint.unit == "mm" else None,
            values=fingerprint.values,
        ),
        network=NetworkPlan(dims=axes, filters=(1,), strides=((1, 1, 1),), kernels=((1, 1, 1),), heads=0),
        window=WindowPlan(patch=(1, 1, 1)),
        training=TrainingPlan(
            batch=BATCH[axes], learning_rate=8e-3, budget_minutes=budget_minutes, surroundings=cut_out
        ),
        foreseen=Foreseen(memory=memory),
        reasons={**why_grid, "batch": WHY_BATCH[axes], **_explain(cohort, task), **explain_cut_out(cut_out)},
    )
    candidates = _list_swapped(base, fingerprint, swap(base)) if swap else _list_candidates(base, fingerprint)
    return choose_loss(_choose_network(candidates, measure_step), fingerprint)


def _explain(cohort: Cohort, task: Task) -> dict[str, str]:
    """Reasons that hold whatever the grid."""
    split = describe_split(cohort)
    own = {**({"objects": WHY_OBJECTS} if task.objects else {}), **({"patients": split} if split else {})}
    return {**REASONS, **explain_sides(task), **own}


def state_task(cohort: Cohort, fingerprint: Fingerprint) -> Task:
    """What a cohort has segmented, as it was measured."""
    found = fingerprint.objects
    return Task(
        channels=cohort.channels,
        modalities=cohort.modalities,
        labels=code_labels(cohort.labels),
        unit=fingerprint.unit,
        components=fingerprint.components,
        units=fingerprint.units,
        objects=Separation(border=BORDER, smallest=found.smallest) if found else None,
        sides=join_sides(find_sides(cohort.labels.names), fingerprint.sides),
    )


def _check_dims(dims: Literal[2, 3] | None, fingerprint: Fingerprint) -> Literal[2, 3]:
    found = choose_dims([case.shape for case in fingerprint.cases])
    slices = [case.id for case in fingerprint.cases if 1 in case.shape]
    if found is None and dims is None:
        volume = next(case for case in fingerprint.cases if 1 not in case.shape)
        raise InputError(
            "cohort",
            f"case {slices[0]} is one slice, case {volume.id} has {volume.shape[2]}",
            "add --dims 2 to segment all slice by slice, or make a bundle of each kind",
            code="dimensions-differ",
        )
    if slices and dims == 3:
        said = f"case {slices[0]} is one slice"
        raise InputError("--dims 3", said, "leave the option away or write --dims 2", code="dimensions-differ")
    return dims or found or 2


def _plan_grid(dims: Literal[2, 3], fingerprint: Fingerprint) -> tuple[dict[str, Any], dict[str, str]]:
    """Spacing and orientation of the grid, and why."""
    cases = fingerprint.cases
    spacing, reason = plan_spacing([case.spacing_mm for case in cases], [case.shape for case in cases])
    if fingerprint.unit == "px":
        why = "the images have no physical size, so nothing is resampled"
        return {"spacing_mm": spacing}, {"spacing_mm": why}
    if dims == 3:
        return {"spacing_mm": spacing}, {"spacing_mm": reason}
    axes = _choose_axes(fingerprint)
    x, y, z = (spacing[axis] for axis in ORDERS[axes])
    reason += "; slices stay where they are, only their plane is resampled (Isensee 2021)"
    across = "xyz"[ORDERS[axes][2]]
    why = f"slices are {PLANES[axes]}, {z:g} mm apart along {across}"
    why += ", where cases are coarsest" if axes != "RAS" else ""
    return {"spacing_mm": (x, y, z), "axes": axes}, {"spacing_mm": reason, "axes": why}


def _choose_axes(fingerprint: Fingerprint) -> Axes:
    cases = fingerprint.cases
    axes = choose_axes([case.spacing_mm for case in cases], [case.shape for case in cases])
    if axes is None:
        flat = {case.shape.index(1): case.id for case in cases if 1 in case.shape}
        (one, first), (other, second) = list(flat.items())[:2]
        said = f"case {first} is one {PLANES[SLICED[one]]} slice, case {second} one {PLANES[SLICED[other]]} slice"
        raise InputError("cohort", said, "make a bundle of each kind", code="dimensions-differ")
    return axes


def plan_normalization(modality: str, statistics: ChannelStatistics, components: int = 1) -> Normalization:
    """Normalisation of one channel: fixed for CT and PET, of each image by itself for the rest (Isensee 2021).

    Labels of one single intensity give no scale, so such a channel is normalised by itself as well; so is one of
    several components, which share no scale. On nuclei (fold 0, 250 steps, one run each) a z-score of each component,
    one of the whole picture, and one fixed scale gave Dice 0.867, 0.871 and 0.878: too near to tell apart, and only
    z-scores take 8 and 16 bits and any exposure.
    """
    if modality in ("CT", "PT") and statistics.high > statistics.low and components == 1:
        return Normalization(
            kind="fixed", low=statistics.low, high=statistics.high, mean=statistics.mean, sd=statistics.sd
        )
    return Normalization(kind="each")


def _plan_normalizations(cohort: Cohort, fingerprint: Fingerprint) -> dict[str, Normalization]:
    found, components = fingerprint.channels, fingerprint.components
    return {
        name: plan_normalization(cohort.modalities[name], found[name], components.get(name, 1))
        for name in cohort.channels
    }


def _choose_network(candidates: list[Plan], measure_step: Callable[[Plan], float]) -> Plan:
    cheapest = candidates[-1]
    what = "timing networks"
    report(what, 0, len(candidates))
    fastest = measure_step(cheapest)
    rate = fastest / estimate_work(cheapest)
    minutes = cheapest.training.budget_minutes
    longest = minutes * 60 * TRAINING_SHARE / count_enough_steps(minutes)
    for number, plan in enumerate(candidates[:-1], start=1):
        report(what, number, len(candidates))
        expected = estimate_work(plan) * rate
        if expected / FASTER > longest:
            continue
        seconds = measure_step(plan)
        if expected <= longest < seconds:
            seconds = min(seconds, measure_step(plan))  # larger networks compute faster, so the machine was disturbed
        if seconds <= longest:
            return _with_reasons(plan, seconds)
    return _with_reasons(cheapest, fastest)


def _list_candidates(base: Plan, fingerprint: Fingerprint) -> list[Plan]:
    """Plans that fit the memory, widest first and for each width the largest patch first; the last is the cheapest."""
    found: list[Plan] = []
    dims, spacing = base.network.dims, base.grid.spacing_mm
    edges = SLICE_EDGES if dims == 2 else PATCH_EDGES
    memory = base.foreseen.memory or EIGHT_GIB
    case = np.prod(fingerprint.median_shape_at(spacing, ORDERS[base.grid.axes])[:dims])
    for width in WIDTHS:
        for edge in edges:
            narrow = width == WIDTHS[-1]
            last = narrow and edge == edges[-1]
            plan = _with_network(base, fingerprint, width, edge**dims)
            fits = memory.holds(plan.foreseen.peak_gib)
            sees_half = plan.grid.spacing_mm == spacing and np.prod(plan.window.patch) >= CONTEXT * case
            worth = narrow or edge >= WIDE_EDGE[dims] or sees_half
            if (last or (fits and worth)) and plan not in found:
                found.append(plan)
    return found


def count_enough_steps(budget_minutes: float) -> int:
    """Steps that a network must get in a budget to be worth its width."""
    return int(ENOUGH_STEPS * math.sqrt(max(1.0, budget_minutes / 6)))


def count_enough_minutes(plan: Plan) -> float:
    """Minutes in which the network of a plan gets the steps that make it worth its width, where each step is timed."""
    minutes, steps = plan.training.budget_minutes, max(1, plan.count_steps())
    least = minutes * ENOUGH_STEPS / steps
    # Of more minutes more steps are wanted, by their square root.
    return least if least <= 6 else least**2 / 6


def estimate_work(plan: Plan) -> float:
    """Multiplications of one training step up to a constant: voxels × features² × kernel, over the levels.

    Of another network its features, which grow with the patch as its work does.
    """
    shape = plan.network
    if shape.given is not None:
        return float(shape.given.patch_bytes * plan.training.batch)
    voxels, work = float(np.prod(plan.window.patch)) * plan.training.batch, 0.0
    for features, stride, kernel in zip(shape.filters, shape.strides, shape.kernels, strict=True):
        voxels /= np.prod(stride)
        work += voxels * features**2 * float(np.prod(kernel))
    return work


def _with_network(base: Plan, fingerprint: Fingerprint, width: int, voxels: int) -> Plan:
    spacing = _see_enough(base, fingerprint, voxels)
    dims = base.network.dims
    shape = fingerprint.median_shape_at(spacing, ORDERS[base.grid.axes])
    wanted = plan_patch(shape, spacing, voxels, dims)
    topology = choose_topology(wanted, spacing)
    levels = len(topology.strides)
    network = {
        "filters": plan_filters(width, levels, dims),
        "strides": topology.strides,
        "kernels": topology.kernels,
        "heads": max(0, min(3, levels - 2)),
    }
    return _with_window(base, fingerprint, spacing, topology.patch, network)


def _with_window(
    base: Plan, fingerprint: Fingerprint, spacing: Spacing, patch: Triple, network: Mapping[str, Any]
) -> Plan:
    reasons = {}
    own_mm = base.grid.spacing_mm
    if spacing != own_mm:
        own = " × ".join(f"{size:g}" for size in own_mm)
        why = f"coarser than the cases' {own} mm, so that a patch sees half of the median case (Isensee 2021, low "
        reasons["spacing_mm"] = why + "resolution), and a small label keeps 8 voxels across"
    plan = base.change(grid={"spacing_mm": spacing}, window={"patch": patch}, network=network, reasons=reasons)
    return plan.change(foreseen={"peak_gib": predict_peaks(plan, fingerprint)})


def _list_swapped(base: Plan, fingerprint: Fingerprint, swapped: Swapped) -> list[Plan]:
    """Plans of another network that fit the memory, of the largest patch first; of none that fits the smallest."""
    base = base.change(training=learn_otherwise(), reasons=dict.fromkeys(("optimizer", "learning_rate"), WHY_LEARNING))
    dims, memory = base.network.dims, base.foreseen.memory or EIGHT_GIB
    found: dict[Triple, Plan] = {}
    fault: BundleError | None = None
    for edge in SLICE_EDGES if dims == 2 else PATCH_EDGES:
        spacing = _see_enough(base, fingerprint, edge**dims)
        shape = fingerprint.median_shape_at(spacing, ORDERS[base.grid.axes])
        patch = swapped.round_patch(plan_patch(shape, spacing, edge**dims, dims), dims)
        if patch in found:
            continue
        try:
            weights, made = swapped.count(patch)
        except BundleError as error:
            fault = error
            continue
        given = GivenNetwork(definition=dict(swapped.definition), weights=weights, patch_bytes=made)
        network = {"filters": (), "strides": (), "kernels": (), "heads": 0, "given": given}
        found[patch] = _with_window(base, fingerprint, spacing, patch, network)
    if not found:
        raise fault or BundleError("network", "it takes no patch", "take another network")
    plans = list(found.values())
    return [plan for plan in plans if memory.holds(plan.foreseen.peak_gib)] or plans[-1:]


def _see_enough(base: Plan, fingerprint: Fingerprint, voxels: int) -> Spacing:
    spacing = base.grid.spacing_mm
    if base.network.dims == 2:
        return spacing
    x, y, z = (n * s for n, s in zip(fingerprint.median_shape_at(spacing), spacing, strict=True))
    volumes = [volume for case in fingerprint.cases for volume in case.label_ml.values()]
    smallest = smallest_diameter([fingerprint.objects.smallest] if fingerprint.objects else volumes)
    return coarsen_spacing(spacing, (x, y, z), voxels, smallest / LABEL_VOXELS)


def _with_reasons(plan: Plan, seconds: float) -> Plan:
    timed = plan.with_step(seconds)
    steps = timed.count_steps()
    minutes, memory = plan.training.budget_minutes, plan.foreseen.memory or EIGHT_GIB
    wanted = count_enough_steps(minutes)
    widest = f"widest that gets at least {wanted} steps"
    chosen = widest if steps >= wanted else f"narrowest, since none gets {wanted} steps"
    made = "; poolings and kernels by spacing (Isensee 2021)"
    if plan.network.given is not None:
        chosen, made = "asked for (--network)", ""
    reasons = {
        "patch": f"largest within {memory.describe()} and the minutes, aspect of the median case, "
        "divisible by the poolings (Isensee 2021)",
        "network": f"{chosen}: {seconds:.2f} s a step measured here, so about {steps} steps in {minutes:g} min{made}",
    }
    return timed.change(reasons=reasons)
