"""Check the arguments of a verb against its annotations, so that a wrong one is refused in one sentence at once."""

import functools
import importlib
import inspect
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from medunet.errors import InputError
from medunet.progress import speaking

if TYPE_CHECKING:
    from pydantic import TypeAdapter

LOGGER = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
LONGEST = 60
"""Characters of an argument that a sentence repeats."""
TYPES = {
    "LabelChoices": "medunet.cohort",
    "LabelTable": "medunet.labels",
    "Measure": "medunet.evaluation",
    "Memory": "medunet.planning",
    "ReadOptions": "medunet.reading",
}
"""Modules of types that annotations name as text, since loading them takes time that `--help` shouldn't take."""
WORDS: dict[Any, str] = {
    **{int: "a whole number", float: "a number", str: "text", bool: "True or False", NoneType: "None"},
    **{os.PathLike: "a path", Sequence: "a list of", Mapping: "a dict of", tuple: "a tuple of"},
}
"""What is wanted, by annotation or its origin."""


@dataclass(frozen=True, slots=True)
class Above:
    """A bound of a number in an annotation.

    Attributes:
        low: the number is larger,
        equal: or equal to it.
    """

    low: float
    equal: bool = False

    def describe(self) -> str:
        """Words behind "a number"."""
        return f"from {self.low:g} on" if self.equal else f"above {self.low:g}"

    def holds(self, value: Any) -> bool:
        """Whether a number is within."""
        return bool(value >= self.low if self.equal else value > self.low)


Count = Annotated[int, Above(0, equal=True)]
"""A fold, or how often something may happen."""
Minutes = Annotated[float, Above(0)]
Size = Annotated[int, Above(0)]
"""Voxels along an axis."""


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function a public verb: arguments of a wrong type or value are a sentence, and its progress is shown.

    Annotations may be of numbers, text, `PathLike`, `Literal`, `Sequence`, `Mapping`, `tuple`, records and unions of
    these, and of further keywords an `Unpack` of a `TypedDict`; numbers of numpy count as those of Python, which the
    function gets in their place. What is needed for the check is loaded and made at the first call.

    Raises:
        InputError: an argument is wrong.
    """
    name = f"medunet.{function.__name__}"
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        _refuse_second_run(name)
        given = signature.bind(*args, **kwargs)
        for key, value in given.arguments.items():
            parameter = signature.parameters[key]
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                given.arguments[key] = tuple(_take(name, key, item, parameter.annotation) for item in value)
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                given.arguments[key] = _take_named(name, value, parameter.annotation)
            else:
                given.arguments[key] = _take(name, key, value, parameter.annotation)
        started = time.monotonic()
        with speaking():
            result = function(*given.args, **given.kwargs)
            LOGGER.debug("%s took %.1f s", name, time.monotonic() - started)
        return result

    return call


def _take_named(function: str, values: dict[str, Any], annotation: Any) -> dict[str, Any]:
    """The arguments that an `Unpack[TypedDict]` names, after each was checked."""
    (names,) = get_args(annotation)
    known = get_type_hints(names, include_extras=True)
    if unknown := [key for key in values if key not in known]:
        raise TypeError(f"{function}() got an unexpected keyword argument {unknown[0]!r}")
    return {key: _take(function, key, value, known[key]) for key, value in values.items()}


def _refuse_second_run(function: str) -> None:
    """End where a process that a script without a main guard started imports that script to find its functions.

    The process isn't the user's: a traceback of it would bury the one sentence.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and getattr(process.current_process(), "_inheriting", False):
        found = "a process that this script started runs the script once more"
        remedy = "put what the script does below a line if __name__ == '__main__':"
        raise SystemExit(str(InputError(function, found, remedy, code="processes-unfit")))


def _take(function: str, key: str, value: Any, annotation: Any) -> Any:
    """An argument as the function gets it, after it was checked."""
    wanted = _resolve(annotation)
    plain = value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0 else value
    if isinstance(plain, list) and any(get_origin(part) is tuple for part in _split(wanted)):
        plain = tuple(plain)
    if _fits(plain, wanted):
        return plain
    shown = repr(plain) if len(repr(plain)) <= LONGEST else f"{repr(plain)[:LONGEST]}…"
    kind = "" if plain is None else f", {_name_type(type(plain))}"
    raise InputError(function, f"{key} is {shown}{kind}", f"give {_describe(wanted)}")


def _name_type(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'aeiou' else 'a'} {kind.__name__}"


def _fits(value: Any, wanted: Any) -> bool:
    from pydantic import ValidationError

    try:
        _make_adapter(wanted).validate_python(value, strict=True)
    except ValidationError:
        return False
    if isinstance(value, str | os.PathLike) and _holds_path(wanted):
        # "" would be the current folder, and no system has a file with a zero in its name.
        text = os.fspath(value)
        return isinstance(text, str) and text != "" and "\0" not in text
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return not isinstance(value, int | float) or all(bound.holds(value) for bound in _find_bounds(wanted))


@functools.cache
def _make_adapter(wanted: Any) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(wanted, config=None if isinstance(wanted, type) else ConfigDict(arbitrary_types_allowed=True))


@functools.cache
def _resolve(annotation: Any) -> Any:
    """An annotation whose text has become what it names."""
    if not isinstance(annotation, str):
        return annotation
    import pydantic

    instance: Any = pydantic.InstanceOf  # a dict would pass for a record, too
    used = {name: place for name, place in TYPES.items() if name in annotation}
    kinds = {name: getattr(importlib.import_module(place), name) for name, place in used.items()}
    # Words that may be chosen are no type of their own.
    names = {name: instance[kind] if isinstance(kind, type) else kind for name, kind in kinds.items()}
    return eval(annotation, {"Mapping": Mapping, "Sequence": Sequence}, names)  # noqa: S307 - our own signatures


def _split(wanted: Any) -> tuple[Any, ...]:
    """The parts of a union, or the one thing that it is."""
    return get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)


def _find_bounds(wanted: Any) -> list[Above]:
    notes = [note for part in _split(wanted) if get_origin(part) is Annotated for note in part.__metadata__]
    return [note for note in notes if isinstance(note, Above)]


def _holds_path(wanted: Any) -> bool:
    return any(get_origin(part) is os.PathLike for part in _split(wanted))


def _describe(wanted: Any) -> str:
    """What is wanted, in words."""
    parts = [part for part in _split(wanted) if not (_holds_path(wanted) and part is str)]
    return " or ".join(_describe_one(part) for part in parts)


def _describe_one(wanted: Any) -> str:
    origin, inside = get_origin(wanted), get_args(wanted)
    if origin in (None, os.PathLike):
        return WORDS.get(origin or wanted) or _name_type(wanted)
    if origin is Literal:
        return " or ".join(repr(value) for value in inside)
    if origin is Annotated:
        return " ".join([_describe(inside[0]), *(bound.describe() for bound in _find_bounds(wanted))])
    return f"{WORDS[origin]} {' and '.join(map(_describe, inside))}"
