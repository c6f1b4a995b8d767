"""Another decision than a bundle's own, as a user asks for it: thresholds, and parts that are left out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from medunet.bundle.parts import Recipe
from medunet.errors import InputError
from medunet.geometry import Unit
from medunet.postprocessing import group_values
from medunet.records import suggest

ALL = ("all",)


def adjust_recipe(
    recipe: Recipe,
    thresholds: Mapping[str, float] | None = None,
    keep_largest: Sequence[str] | None = None,
    smallest: float | str | None = None,
) -> Recipe:
    """A recipe that decides otherwise.

    Args:
        recipe: of a bundle; what isn't given stays as it has it.
        thresholds: probability from which on a label or region is taken, by its name, above 0 and below 1.
        keep_largest: labels of which only the largest part is kept; "all" for all, none at all for none.
        smallest: size below which a part is left out, in mL, or in pixels where images have no physical size; or as
            text with its unit, `0.1mL` or `20px`.

    Raises:
        InputError: a label is unknown or can't be treated so, or a number is out of its range.
    """
    decision, cleaning, table = recipe.decision, recipe.cleaning, recipe.task.labels
    if thresholds and not recipe.gives_probabilities:
        found = "the steps of this bundle don't say how its outputs become probabilities"
        raise InputError("--threshold", found, "leave it out", code="option-wrong")
    if thresholds:
        decision = replace(decision, thresholds=_place_thresholds(thresholds, recipe))
    if keep_largest is not None:
        every = tuple(region.name for region in table.structures)
        names = every if tuple(keep_largest) == ALL else tuple(keep_largest)
        try:
            cleaning = replace(cleaning, keep_largest=group_values(table, names) if names else ())
        except ValueError as error:
            said = f"--keep-largest {','.join(keep_largest)}"
            raise InputError(said, str(error), "correct it, or leave it out", code="option-wrong") from None
    if smallest is not None:
        cleaning = replace(cleaning, smallest=_take_size(smallest, recipe.task.unit))
    return replace(recipe, decision=decision, cleaning=cleaning)


def _take_size(size: float | str, unit: Unit) -> float:
    """A size in the unit of volumes on such grids: mL, or pixels."""
    wanted = "mL" if unit == "mm" else "px"
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(ml|px)\s*", size, re.IGNORECASE) if isinstance(size, str) else None
    if found and found[2].lower() != wanted.lower():
        said = f"volumes of this bundle are in {wanted}"
        raise InputError(f"--smallest {size}", said, f"write it like 10{wanted}", code="option-wrong")
    number = float(found[1]) if found else size
    if isinstance(number, str) or not 0 <= number < float("inf"):
        said = f"--smallest {size or repr(size)}"
        raise InputError(
            said, "it is no size", f"write it like {'0.1mL' if unit == 'mm' else '20px'}", code="option-wrong"
        )
    return number


def _place_thresholds(thresholds: Mapping[str, float], recipe: Recipe) -> tuple[float | None, ...]:
    """A threshold, or none, of each output."""
    task, outputs = recipe.task, recipe.name_outputs()
    known = [region.name for region in task.labels.structures]
    for name, value in thresholds.items():
        said = f"--threshold {name}={value:g}"
        if task.labels.objects:
            found = "labels of this bundle number objects, which have no threshold"
            raise InputError(said, found, "leave it out", code="option-wrong")
        if name not in known:
            raise InputError(said, "there is no such label", suggest(name, known), code="option-wrong")
        if outputs.count(name) != 1:
            found = f"{outputs.count(name)} outputs of the network make this label"
            raise InputError(said, found, "leave it out", code="option-wrong")
        if not 0 < value < 1:
            raise InputError(said, "it is no probability", "give one above 0 and below 1", code="option-wrong")
    set_before = recipe.decision.thresholds or (None,) * len(outputs)
    return tuple(thresholds.get(name, before) for name, before in zip(outputs, set_before, strict=True))
