"""Everything that can be said of a bundle before a scan is there."""

from collections.abc import Iterator
from pathlib import Path

from medunet.bundle.folder import Bundle
from medunet.bundle.foreign import ForeignBundle, Reading, open_any_bundle, read_foreign, take_recipe, tell_unoriented
from medunet.bundle.parts import Recipe
from medunet.bundle.trust import TRUST
from medunet.bundle.weights import load_weights
from medunet.findings import Finding, make_finding, sort_findings
from medunet.networks import build_foreign_network, build_network
from medunet.reading import attempt

SHOWN = 120
"""Letters of an expression that are shown."""


def check_bundle(folder: Path) -> list[Finding]:
    """Check a bundle without evaluating anything of it, and load its weights.

    Args:
        folder: its root.

    Returns:
        Errors, for which `predict` refuses it without `trust`, warnings, and notes of what it holds and what of that
        decides nothing; in this order.
    """
    bundle, found = attempt(open_any_bundle, folder)
    if isinstance(bundle, ForeignBundle):
        found += _check_foreign(bundle)
    elif bundle is not None:
        found += _check_own(bundle)
    return sort_findings(found)


def _check_own(bundle: Bundle) -> Iterator[Finding]:
    taken, found = attempt(take_recipe, bundle)
    yield from found
    if taken is not None:
        recipe, files = taken
        for path, wanted in files.items():
            yield from attempt(load_weights, path, build_network(recipe.network), wanted)[1]
        yield make_finding("bundle-read", bundle.folder, _describe(recipe))


def _check_foreign(bundle: ForeignBundle) -> Iterator[Finding]:
    reading, found = attempt(read_foreign, bundle, refuse=False)
    yield from found
    if reading is None:
        return
    for key, text in reading.odd.items():
        yield make_finding("bundle-untrusted", bundle.path, f"'{key}' is {text[:SHOWN]!r}, more than data", TRUST)
    if not reading.odd:
        yield from attempt(_load, reading)[1]
    yield from attempt(tell_unoriented, reading.recipe, bundle.path)[1]
    if not any(key.startswith("postprocessing") for key in reading.odd):
        yield make_finding("bundle-read", bundle.path, _describe(reading.recipe))
    for note in reading.recipe.notes:
        yield make_finding("bundle-read", bundle.path, note)
    if reading.ignored:
        yield make_finding("bundle-ignored", bundle.path, f"ignored are {', '.join(reading.ignored)}")


def _load(reading: Reading) -> None:
    recipe = reading.recipe
    load_weights(reading.weights, build_foreign_network(recipe.network), None, recipe.entry)


def _describe(recipe: Recipe) -> str:
    """What goes in, what comes out, and how, in words."""
    window, task = recipe.window, recipe.task
    size = " × ".join(map(str, window.patch[: window.dims])) if any(window.patch) else "the whole scan"
    channels = ", ".join(f"{name} ({task.modalities[name]})" for name in task.channels)
    way = "outputs come back linearly and are decided then" if recipe.restoring == "linear" else "labels come back"
    steps = [*([recipe.decision.activation] if recipe.decision.activation != "none" else []), recipe.decision.kind]
    steps += [step["_target_"] for step in recipe.decision.steps]
    return (
        f"read as {recipe.network['_target_']} of {channels} in patches of {size}, {', '.join(steps)}; {way}; "
        f"labels {task.labels.describe()}"
    )
