"""Labels that their side tells apart, by their names: a left and a right parotid look alike in a mirror."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

LEFT = (
    *("left", "lt", "lft", "li", "links", "linke", "linker", "linkes", "gauche", "izquierdo", "izquierda", "izq"),
    *("sinister", "sinistra", "sinistro", "sin", "sx", "esquerdo", "esquerda", "lewy", "lewa", "levý", "levá"),
    *("левый", "левая", "левое", "лев", "l", "g"),
)
"""Words for the left side: of English, German, French, Spanish, Latin, Italian, Portuguese and Slavic languages."""
RIGHT = (
    *("right", "rt", "rgt", "re", "rechts", "rechte", "rechter", "rechtes", "droit", "droite", "derecho", "derecha"),
    *("der", "dexter", "dextra", "destra", "destro", "dex", "dx", "direito", "direita", "prawy", "prawa", "pravý"),
    *("pravá", "правый", "правая", "правое", "прав", "r", "d"),
)
"""Words for the right side."""
CLEAR = 4
"""Letters from which on such a word says a side even where no label is the other one."""
WORDS = re.compile(r"[^\W\d_]?[^\W\d_A-ZА-Я]+|[A-ZА-Я]+(?![^\W\d_A-ZА-Я])|\d+")
"""Words of a name: between signs and numbers, and from a capital letter on."""
ALONE = re.compile(r"(?<![^\W_])(?:[lr]|[lr]t)(?![^\W_])", re.IGNORECASE)
"""A letter for a side with signs around it: `Kidney_L`, not the vertebra `L1`."""
Sides = tuple[tuple[str, ...], ...]
"""Pairs of names, the left one first, and single names whose other side is no label."""


def find_sides(names: Sequence[str]) -> Sides:
    """Labels that differ by their side alone, and labels of one side whose other side is none.

    Args:
        names: of all labels.

    Example:
        >>> find_sides(["RightParotid", "LeftParotid", "Larynx", "Kidney_L"])
        (('LeftParotid', 'RightParotid'), ('Kidney_L',))
    """
    pairs: dict[str, tuple[str, ...]] = {}
    rights = {name: _split(name, RIGHT) for name in names}
    for left in names:
        own = _split(left, LEFT)
        right = next((name for name in names if own & rights[name]), None)
        if right is not None:
            pairs[left] = (left, right)
    taken = {name for pair in pairs.values() for name in pair}
    alone = tuple((name,) for name in names if name not in taken and _is_clear(name))
    return (*pairs.values(), *alone)


def name_sides(names: Sequence[str]) -> dict[str, Literal["left", "right"]]:
    """The side of each label that has one, by its name beside those of all labels.

    Args:
        names: of all labels; a word that says no side by itself does where another label is the other one.

    Example:
        >>> name_sides(["Kidney_L", "L1", "L2"])
        {'Kidney_L': 'left'}
    """
    sides: dict[str, Literal["left", "right"]] = {}
    for found in find_sides(names):
        first, *other = found
        sides[first] = "left" if other or _split(first, LEFT) else "right"
        sides |= dict.fromkeys(other, "right")
    return sides


def join_sides(named: Sides, placed: Sides) -> Sides:
    """Sides by names, and those by places of labels that no name has a side of."""
    taken = {name for names in named for name in names}
    return (*named, *(names for names in placed if not taken & set(names)))


def describe_sides(sides: Iterable[Sequence[str]]) -> str:
    """Name them: `LeftParotid and RightParotid, Kidney_L`."""
    return ", ".join(" and ".join(names) for names in sides)


def _split(name: str, words: Sequence[str]) -> set[tuple[str, ...]]:
    """What remains of a name without a word for a side, for each such word that it holds."""
    parts = [part.casefold() for part in WORDS.findall(name)]
    # Labels that are called by letters alone, from a to z, have no sides.
    found = [(n, part) for n, part in enumerate(parts) if part in words and (len(parts) > 1 or len(part) >= CLEAR)]
    rests = {(*parts[:n], "", *parts[n + 1 :]) for n, part in found}
    # Without a capital letter or a sign before it, only a whole word is one: `leftparotid`.
    whole = "".join(parts)
    within = next((word for word in (words[0], "左" if words is LEFT else "右") if word in whole), None)
    return rests | ({("", whole.replace(within, "", 1))} if within else set())


def _is_clear(name: str) -> bool:
    parts = {part.casefold() for part in WORDS.findall(name)}
    clear = any(part in LEFT + RIGHT and len(part) >= CLEAR for part in parts)
    return clear or (len(parts) > 1 and bool(ALONE.search(name)))
