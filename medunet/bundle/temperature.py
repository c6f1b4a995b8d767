"""The temperature of a bundle: a step of `inference.json` that divides its logits, and the record of how it was found.

The step is what counts; `docs/calibration.json` tells where it comes from. Weights that are written anew lose both.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from medunet.bundle.metadata import Metadata
from medunet.calibration import Calibration
from medunet.errors import MedunetError
from medunet.findings import remark
from medunet.records import read_json, read_record, write_json, write_record

FILE = Path("docs", "calibration.json")
"""In a bundle."""
DIVIDE: dict[str, Any] = {
    "_target_": "ScaleIntensityRanged",
    "keys": ["pred"],
    "a_min": 0.0,
    "b_min": 0.0,
    "b_max": 1.0,
}
"""MONAI's (x - a_min) / (a_max - a_min), which divides logits by a_max and is no expression."""
BEFORE = ("MeanEnsembled", "Lambdad")
"""Steps that come before it: the mean of folds, and what ends where logits are no numbers."""

Step = Mapping[str, Any]


def divide_logits(temperature: float) -> list[dict[str, Any]]:
    """The transform that divides the logits `pred` by a temperature; none for 1."""
    return [] if temperature == 1 else [{**DIVIDE, "a_max": temperature}]


def take_temperature(step: Any) -> float | None:
    """The temperature of such a step, None of any other."""
    value = step.get("a_max") if isinstance(step, Mapping) else None
    fits = isinstance(value, float | int) and not isinstance(value, bool) and 0 < value < float("inf")
    return float(value) if fits and {**DIVIDE, "a_max": value} == step else None  # type: ignore[arg-type]


def find_temperature(steps: Sequence[Step]) -> float:
    """The temperature among steps of postprocessing, 1 where there is none."""
    return next((found for step in steps if (found := take_temperature(step)) is not None), 1.0)


def set_temperature(config: Mapping[str, Any], temperature: float) -> dict[str, Any]:
    """An `inference.json` with another temperature, everything else as it was; 1 takes it out."""
    changed = deepcopy(dict(config))
    steps = [step for step in changed["postprocessing"]["transforms"] if take_temperature(step) is None]
    first = 0
    while first < len(steps) and _guards(steps[first]):
        first += 1
    changed["postprocessing"]["transforms"] = [*steps[:first], *divide_logits(temperature), *steps[first:]]
    return changed


def _guards(step: Step) -> bool:
    """Whether it comes before the division; regions are chosen by a Lambdad, too, which knows none of these words."""
    return step["_target_"] == BEFORE[0] or (step["_target_"] == BEFORE[1] and "isfinite" in str(step.get("func")))


def read_calibration(folder: Path, weights: Iterable[str]) -> Calibration | None:
    """How the temperature of a bundle was found; None where nobody measured it, or of other weights.

    Args:
        folder: the bundle.
        weights: SHA-256 of its files of weights.
    """
    try:
        record = read_record(folder / FILE, Calibration)
    except MedunetError:
        return None
    return record if record.weights == tuple(sorted(weights)) else None


def find_calibration(folder: Path, metadata: Metadata) -> Calibration | None:
    """The same of a bundle by its metadata.json."""
    return read_calibration(folder, metadata.weight_hashes.values())


def write_calibration(folder: Path, record: Calibration) -> None:
    """Keep a temperature in a bundle: in `inference.json`, with its record.

    Limits of scores that stand in metadata.json were made of other probabilities, so that they are left out.
    """
    path = folder / "configs" / "inference.json"
    before = read_json(path)
    changed = find_temperature(before["postprocessing"]["transforms"]) != record.temperature
    write_json(path, set_temperature(before, record.temperature))
    write_record(folder / FILE, record)
    if changed:
        _drop_limits(folder)


def settle_temperature(folder: Path, weights: Iterable[str]) -> None:
    """Bring a bundle's temperature in order after its weights were written: that of its record, or none."""
    record = read_calibration(folder, weights)
    path = folder / "configs" / "inference.json"
    if path.is_file():
        before = read_json(path)
        after = set_temperature(before, record.temperature if record else 1.0)
        if after != before:
            write_json(path, after)
    if record is None:
        (folder / FILE).unlink(missing_ok=True)


def _drop_limits(folder: Path) -> None:
    path = folder / "configs" / "metadata.json"
    content = read_json(path)
    limits = (content.get("trust") or {}).get("limits", {})
    held = [name for name, limit in limits.items() if limit.get("score") is not None]
    if not held:
        return
    for name in held:
        limits[name]["score"] = None
    write_json(path, content)
    found = f"the limits of scores of {', '.join(held)} were made without this temperature, so that they are left out"
    remark("limits-dropped", folder, found)
