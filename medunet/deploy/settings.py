"""What may be said to a deployed program, and in whose words: by options, by variables, or by a rule of mercure.

medunet's messages name the options of `medunet predict`. A program that is told the same in another way, or has no such
option, says them in its own words.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from medunet.errors import InputError
from medunet.records import suggest

Way = Literal["options", "variables", "rule"]
"""How a program is told its settings."""


class Setting(NamedTuple):
    """One thing that may be said.

    Attributes:
        option: of `medunet predict` that says the same.
        sign: between several values.
        form: of a value.
        help: what it says.
    """

    option: str
    sign: str
    form: str
    help: str


SETTINGS = {
    "formats": Setting("--format", ",", "NAME,NAME", "formats of the results; seg,sr if not given"),
    "series_rules": Setting("--series-rule", ";", "[NAME:]RULE", "which series is a channel, not as the bundle says"),
    "series": Setting("--series", ";", "[NAME=]UID", "SeriesInstanceUID of a channel"),
    "phase": Setting("--phase", ";", "[NAME=]PHASE", "which image, where a series holds several"),
    "assume_rescale": Setting("--assume-rescale", ";", "[NAME=]SLOPE,INTERCEPT", "of a CT whose headers lack them"),
    "pet": Setting("--pet", ";", "[NAME=]suv|stored", "units of a PET"),
}
USUAL_FORMATS = ("seg", "sr")
Given = Mapping[str, Any]
"""Settings by name, each a text or a list of texts."""
ALTERNATIVE = re.compile(r", or [^;:,\n]*?(--[a-z-]+|cohort\.json)[^;:,.\n]*")
ASIDE = re.compile(r" \((--[a-z-]+)[^)\n]*\)")


def split_settings(given: Given) -> dict[str, tuple[str, ...]]:
    """The values of each setting that was given any."""
    split: dict[str, tuple[str, ...]] = {}
    for name, value in given.items():
        texts = value if isinstance(value, list | tuple) else [value]
        parts = [part.strip() for text in texts for part in str(text).split(SETTINGS[name].sign)]
        if any(parts):
            split[name] = tuple(filter(None, parts))
    return split


def name_variable(name: str) -> str:
    """The variable that a setting is said by."""
    return f"MEDUNET_{name.upper()}"


def list_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that variables say, by their names."""
    return {name: environment[name_variable(name)] for name in SETTINGS if environment.get(name_variable(name))}


def read_task(path: Path) -> dict[str, Any]:
    """What a rule of mercure sets for this module, by its task.json.

    Raises:
        InputError: it can't be read, or sets what there isn't.
    """
    if not path.exists():
        return {}
    try:
        task = json.loads(path.read_text("utf-8"))
        settings = (task.get("process") or {}).get("settings") or {}
        given = dict(settings)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(path, f"it isn't a task of mercure ({error})", "restore it", code="file-damaged") from None
    for name in given:
        if name not in SETTINGS:
            found = f"its settings hold '{name}', which this module doesn't know"
            raise InputError(path, found, suggest(name, list(SETTINGS)), code="option-wrong")
    return given


def reword(text: str, way: Way) -> str:
    """A message that names options as one that names settings as they are said here, and none that there isn't.

    Args:
        text: of one or several lines.
        way: how the program is told its settings.

    Example:
        >>> reword("predict it with more memory (--ram), or by boxes (--box)", "variables")
        'predict it with more memory'
        >>> reword("choose one with --phase", "variables")
        'choose one with MEDUNET_PHASE'
    """
    names = {setting.option: _name(name, setting, way) for name, setting in SETTINGS.items()}

    def keep(found: re.Match[str]) -> str:
        return found[0] if found[1] in names else ""

    kept = ASIDE.sub(keep, ALTERNATIVE.sub(keep, text))
    return re.sub(r"--[a-z-]+", lambda found: names.get(found[0], found[0]), kept)


def _name(name: str, setting: Setting, way: Way) -> str:
    return {"options": setting.option, "variables": name_variable(name), "rule": f"setting {name}"}[way]
