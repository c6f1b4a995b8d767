"""Along which axes patches may be mirrored: not across the midline where labels have sides."""

from medunet.planning.plan import Plan
from medunet.sides import describe_sides, find_sides
from medunet.task import Task


def list_mirrored(plan: Plan) -> tuple[int, ...]:
    """Axes of a patch that training mirrors, and that a prediction may.

    Where labels have sides, all but the one from left to right; a chain of another bundle that doesn't turn images
    leaves open which that is, so that none is.
    """
    axes = range(plan.network.dims)
    if not plan.task.sides:
        return tuple(axes)
    directions = find_directions(plan)
    return tuple(axis for axis in axes if directions and directions[axis] not in "LR")


def find_directions(plan: Plan) -> str:
    """Directions of the axes of a prepared scan, a letter each, such as RAS; empty where nothing says them."""
    if plan.grid.steps is None:
        return plan.grid.axes
    turned = [step for step in plan.grid.steps if str(step.get("_target_")).endswith("Orientationd")]
    said = turned[-1].get("axcodes") if turned else None
    return str(said) if said and len(str(said)) == 3 else ""


def explain_sides(task: Task) -> dict[str, str]:
    """Why nothing is mirrored across the midline, as the reason of a plan; none where that is done."""
    if not task.sides:
        return {}
    named = find_sides(task.labels.names)
    ways = ("by name", named), ("by place", [names for names in task.sides if names not in named])
    said = [f"{describe_sides(names)} {way}" for way, names in ways if names]
    return {"sides": f"sides tell labels apart ({'; '.join(said)}), so that nothing is mirrored from left to right"}
