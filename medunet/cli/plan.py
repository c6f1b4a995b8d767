"""`medunet plan`: the numbers of a bundle, and why."""

from typing import TYPE_CHECKING

from medunet import api
from medunet.cli.arguments import BundleArgument

if TYPE_CHECKING:
    from medunet.planning import Plan


def plan(bundle: BundleArgument) -> None:
    """Show the plan of a bundle: every number and its reason."""
    describe_plan(api.plan(bundle))


def describe_plan(planned: "Plan") -> None:
    """Print a plan as lines of name, value and reason."""
    scales = ", ".join(f"{name} {how.kind}" for name, how in planned.normalization.items())
    channels = [
        f"{name} of {count} components" if (count := planned.components.get(name, 1)) > 1 else name
        for name in planned.channels
    ]
    rows = {
        "channels": f"{', '.join(channels)}; labels {', '.join(planned.labels.names)}",
        "spacing_mm": " × ".join(f"{value:g}" for value in planned.spacing_mm) if planned.unit == "mm" else "none",
        "normalization": scales,
        "patch": " × ".join(map(str, planned.patch)),
        "batch": str(planned.batch),
        "network": f"{planned.dims}D, features {'-'.join(map(str, planned.network.filters))}",
        **_describe_objects(planned),
        "learning_rate": f"{planned.learning_rate:g}",
        "overlap": f"{planned.overlap:g}",
        "foreground_share": f"{planned.foreground_share:g}",
    }
    for name, value in rows.items():
        reason = planned.reasons.get(name)
        print(f"{name:17} {value}" + (f"\n{'':17}   because: {reason}" if reason else ""))


def _describe_objects(planned: "Plan") -> dict[str, str]:
    if planned.objects is None:
        return {}
    unit = "mL" if planned.unit == "mm" else "px"
    return {"objects": f"border {planned.objects.border}, smallest {planned.objects.smallest:g} {unit}"}
