"""`medunet plan`: the numbers of a bundle or for a cohort, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medunet import api
from medunet.cli.labels import take_labels
from medunet.cli.screen import screen
from medunet.cli.wishes import take_wishes

if TYPE_CHECKING:
    from medunet.planning import Foreseen, NetworkPlan, Plan
    from medunet.task import Task


@take_labels
@take_wishes
def plan(
    path: Annotated[
        Path, typer.Argument(metavar="BUNDLE_OR_COHORT", help="Bundle, or COHORT as of init.", show_default=False)
    ],
    wishes: dict[str, Any],
    labels: Any,
    explain: Annotated[bool, typer.Option("--explain", help="Give each number's reason and source.")] = False,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write the plan, or the edited plan.json, into an untrained bundle's configs."),
    ] = False,
) -> None:
    """Show the numbers of a bundle, and why.

    The plan of a bundle, what it would be with other options, or what it would be for a cohort.
    """
    from medunet.archives import unpack_archives

    with screen(), unpack_archives([path]) as (place,):
        planned = api.plan(place, write=write, labels=labels, **wishes)
    describe_plan(planned, explain)
    if write:
        print(f"wrote {path}; next: medunet train {path}")
    elif not (path / "configs").is_dir():
        print(f"nothing is written; next: medunet init {path} BUNDLE with the same options")
    elif wishes:
        print(f"{path} is as it was; with --write it gets this plan")


def describe_plan(planned: "Plan", explain: bool = False) -> None:
    """Print a plan as lines of name and value; each with its reason and source, if asked for."""
    from medunet.sides import describe_sides

    task, grid, network, training = planned.task, planned.grid, planned.network, planned.training
    channels = [
        f"{name} of {count} components" if (count := task.count_components(name)) > 1 else name
        for name in task.channels
    ]
    rows = {
        "channels": f"{', '.join(channels)}; labels {task.labels.describe()}",
        "spacing_mm": " × ".join(f"{value:g}" for value in grid.spacing_mm) if task.unit == "mm" else "none",
        **({"axes": f"{grid.axes}: {planned.reasons['axes']}"} if "axes" in planned.reasons else {}),
        "normalization": ", ".join(f"{name} {how.kind}" for name, how in grid.normalization.items())
        if grid.steps is None
        else f"by the {len(grid.steps)} steps of {planned.source}",
        "patch": " × ".join(map(str, planned.window.patch)),
        "batch": str(training.batch),
        "network": _describe_network(network),
        **({"source": planned.source} if planned.source else {}),
        **_describe_objects(task),
        **({"sides": describe_sides(task.sides)} if task.sides else {}),
        **({"partial": "some labels are unknown in some cases"} if training.partial else {}),
        **_describe_teacher(planned),
        **({"surroundings": f"drawn in {', '.join(training.surroundings)}"} if training.surroundings else {}),
        "loss": _describe_part(training.loss) if isinstance(training.loss, dict) else training.loss,
        "optimizer": training.optimizer,
        "learning_rate": f"{training.learning_rate:g}",
        **({"augmentation": ", ".join(map(_describe_part, training.augmentation))} if training.augmentation else {}),
        "overlap": f"{planned.window.overlap:g}",
        "foreground_share": f"{training.foreground_share:g}",
        "budget_minutes": f"{training.budget_minutes:g}",
    }
    if training.longest_gradient is not None:
        rows["longest_gradient"] = f"{training.longest_gradient:g}"
    rows |= _describe_foreseen(planned.foreseen)
    if "patients" in planned.reasons:
        rows["patients"] = planned.reasons["patients"]
    for name, value in rows.items():
        reason = planned.reasons.get(name) if explain and name not in ("patients", "axes") else None
        print(f"{name:17} {value}" + (f"\n{'':17}   because: {reason}" if reason else ""))


def _describe_part(part: "dict[str, Any]") -> str:
    """Name a part of MONAI's: `DiceFocalLoss(gamma=3.0)`."""
    arguments = ", ".join(f"{key}={value!r}" for key, value in part.items() if key != "_target_")
    return f"{part.get('_target_')}({arguments})"


def _describe_network(network: "NetworkPlan") -> str:
    if network.given is not None:
        return f"{network.describe()}, {network.given.weights / 1e6:.3g} million weights"
    return f"{network.dims}D, features {'-'.join(map(str, network.filters))}" + (
        ", residual" if network.residual else ""
    )


def _describe_objects(task: "Task") -> dict[str, str]:
    if task.objects is None:
        return {}
    unit = "mL" if task.unit == "mm" else "px"
    return {"objects": f"border {task.objects.border}, smallest {task.objects.smallest:g} {unit}"}


def _describe_teacher(planned: "Plan") -> dict[str, str]:
    """Who teaches a student, and the scan that it was made small for."""
    rows, teacher, scan = {}, planned.training.teacher, planned.foreseen.scan
    if teacher is not None:
        scans = f", alone of {teacher.unlabelled} unlabelled scans" if teacher.unlabelled else ""
        rows["teacher"] = f"{teacher.name} {teacher.version}, weight {teacher.weight:g}{scans}"
    if scan is not None:
        rows["scan"] = scan.describe()
    return rows


def _describe_foreseen(foreseen: "Foreseen") -> dict[str, str]:
    rows = {}
    if foreseen.peak_gib:
        rows["peak_gib"] = ", ".join(f"{stage} {gib:.1f}" for stage, gib in foreseen.peak_gib.items())
    if foreseen.memory is not None:
        rows["memory"] = foreseen.memory.describe()
    if (speed := foreseen.speed) is not None:
        layout = "channels last" if speed.channels_last else "channels first"
        rows["speed"] = f"{speed.steps_per_second:g} steps/s on {speed.device}, {speed.threads} threads, "
        rows["speed"] += f"{speed.precision}, {layout}"
    return rows
