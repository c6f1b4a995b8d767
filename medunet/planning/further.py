"""A plan whose chain, network and window are those of another bundle, for a cohort that it is trained further on."""

from collections.abc import Callable
from dataclasses import dataclass

from medunet.cohort import Cohort, describe_split
from medunet.errors import InputError
from medunet.measuring.fingerprint import Fingerprint
from medunet.planning.choice import BATCH, EIGHT_GIB, REASONS, state_task
from medunet.planning.losses import choose_loss
from medunet.planning.memory import Memory
from medunet.planning.mirroring import explain_sides
from medunet.planning.peaks import predict_peaks
from medunet.planning.plan import Foreseen, GivenNetwork, GridPlan, NetworkPlan, Plan, TrainingPlan, WindowPlan
from medunet.planning.rules import Triple, plan_spacing
from medunet.planning.swapped import WHY_LEARNING, learn_otherwise

WHOLE_MULTIPLE = 32
"""What the poolings of a network that takes whole scans are taken to divide."""
LONGEST_WHOLE = {2: 512, 3: 128}
"""Voxels of an edge of the patches in which a network that takes whole scans is trained, at most."""
TAKEN = ("spacing_mm", "normalization", "patch", "overlap", "network")
"""Numbers of a plan that another bundle decides."""


@dataclass(frozen=True, slots=True)
class Given:
    """What another bundle decides of a plan.

    Attributes:
        source: name of the bundle.
        grid: its grid; of steps that it gave the spacing is 0 along axes of which they say none.
        network: its network, whose outputs are those of the cohort.
        window: its window, with a patch of 0 along axes that it takes whole.
    """

    source: str
    grid: GridPlan
    network: NetworkPlan
    window: WindowPlan

    def fill(self, fingerprint: Fingerprint) -> "Given":
        """The same with what it leaves open, by the median case."""
        cases = fingerprint.cases
        median, _ = plan_spacing([case.spacing_mm for case in cases], [case.shape for case in cases])
        x, y, z = (own or other for own, other in zip(self.grid.spacing_mm, median, strict=True))
        patch = _fill_patch(self, fingerprint.median_shape_at((x, y, z)))
        grid = self.grid.model_copy(update={"spacing_mm": (x, y, z)})
        window = self.window.model_copy(update={"patch": patch})
        return Given(self.source, grid, self.network, window)


def _fill_patch(given: Given, median: Triple) -> Triple:
    """The patch, where it is 0 as large as the chain makes scans, or about as large as the median case."""
    resized = [step.get("spatial_size") for step in given.grid.steps or () if step.get("_target_") == "Resized"]
    sizes = resized[-1] if resized and isinstance(resized[-1], list | tuple) else ()
    longest, found = LONGEST_WHOLE[given.network.dims], []
    for axis, (size, length) in enumerate(zip(given.window.patch, median, strict=True)):
        near = min(max(length // WHOLE_MULTIPLE, 1) * WHOLE_MULTIPLE, longest)
        made = sizes[axis] if axis < len(sizes) and isinstance(sizes[axis], int) and sizes[axis] > 0 else near
        found.append(size or made)
    x, y, z = found
    return x, y, z


def plan_further(
    cohort: Cohort,
    fingerprint: Fingerprint,
    given: Given,
    measure_step: Callable[[Plan], float],
    *,
    memory: Memory = EIGHT_GIB,
    budget_minutes: float = 45.0,
) -> Plan:
    """Plan what another bundle leaves open: how it learns.

    Args:
        cohort: channels and labels.
        fingerprint: what was measured of it.
        given: what is taken as it is, after `fill`.
        measure_step: seconds of one training step of a plan on this machine.
        memory: what training may take; only the batch gives way to it.
        budget_minutes: time for training.

    Raises:
        InputError: the cohort's files have other components than the network takes.
    """
    _check_inputs(cohort, fingerprint, given)
    dims, mine = given.network.dims, given.network.given is None
    learning = {"learning_rate": 8e-3} if mine else learn_otherwise()
    found = {"extent_mm": fingerprint.largest_extent() if fingerprint.unit == "mm" else None}
    reasons = {**REASONS, **dict.fromkeys(TAKEN, f"as {given.source} has it, from which this bundle goes on (--from)")}
    reasons |= {} if mine else dict.fromkeys(("optimizer", "learning_rate"), WHY_LEARNING)
    split, task = describe_split(cohort), state_task(cohort, fingerprint)
    plan = Plan(
        task=task,
        grid=given.grid.model_copy(update={**found, "values": fingerprint.values}),
        network=given.network,
        window=given.window,
        training=TrainingPlan(batch=BATCH[dims], budget_minutes=budget_minutes, **learning),
        foreseen=Foreseen(memory=memory),
        source=given.source,
        reasons={**reasons, **explain_sides(task), **({"patients": split} if split else {})},
    )
    plan = choose_loss(_fit_batch(plan, fingerprint), fingerprint)
    return plan.with_step(measure_step(plan))


def _fit_batch(plan: Plan, fingerprint: Fingerprint) -> Plan:
    """The plan with the largest batch that fits the memory, and what it takes then."""
    batch, memory = plan.training.batch, plan.foreseen.memory or EIGHT_GIB
    while True:
        fitted = plan.change(training={"batch": batch})
        peaks = predict_peaks(fitted, fingerprint)
        if batch == 1 or memory.holds(peaks):
            why = {"batch": f"the largest up to {plan.training.batch} within {memory.describe()}"}
            return fitted.change(foreseen={"peak_gib": peaks}, reasons=why)
        batch //= 2


def _check_inputs(cohort: Cohort, fingerprint: Fingerprint, given: Given) -> None:
    network: GivenNetwork | None = given.network.given
    wanted = network.definition.get("in_channels") if network else None
    found = sum(fingerprint.components.get(name, 1) for name in cohort.channels)
    if isinstance(wanted, int) and wanted != found:
        said = f"its network takes {wanted} components, but the cohort's files hold {found}"
        raise InputError(f"--from {given.source}", said, "convert the files", code="components-differ")


def keep_given(plan: Plan) -> Given:
    """What a plan was given by another bundle."""
    return Given(plan.source, plan.grid, plan.network, plan.window)
