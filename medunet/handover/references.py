"""References and overrides of configurations that point at nothing, found without evaluating any.

MONAI takes a key that nothing refers to without a word: `--epoch 1` trains with the usual epochs, and `initialise` is
never run. A reference that points at nothing fails only when its entry is made.
"""

import copy
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medunet.bundle.expressions import walk
from medunet.bundle.literals import REFERENCE, read_config
from medunet.errors import MedunetError
from medunet.findings import Finding, make_finding

ENDINGS = (".json", ".yaml", ".yml")
RUN_KEYS = ("imports", "initialize", "run", "finalize")
"""Keys that MONAI looks up by itself, beside those of its properties."""
NEAR = 0.8
"""How like a key must be to one of these to be taken for a misspelling."""
STARTS = ("run", "evaluator", "trainer", "train", "network_def")
"""Keys one of which a configuration has that runs by itself."""
CONFIG_NAMES = ("metadata", "plan", "fingerprint", "logging", "series")
"""Files beside them that hold no configuration."""
MOST_HOPS = 20
ELSEWHERE = object()
"""What a path leads to that goes on in an object which only MONAI's parser makes."""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that was read.

    Attributes:
        path: of it.
        content: of it, with what it overrides.
        own: its own content.
        base: which file it overrides; None where it runs by itself.
        before: content of that file.
    """

    path: Path
    content: dict[str, Any]
    own: dict[str, Any]
    base: Path | None
    before: dict[str, Any]


def check_references(folder: Path) -> Iterator[Finding]:
    """Findings of all configurations of a bundle.

    Args:
        folder: its root.
    """
    for config in read_configs(folder):
        yield from _check_overrides(config)
        yield from _check_names(config)
        for parts, text in walk(config.own):
            if isinstance(text, str) and text.startswith(("$", "@", "%")):
                yield from _check_text(config, "::".join(parts), text)


def read_configs(folder: Path) -> list[Config]:
    """Every configuration of a bundle that can be read, with what it overrides."""
    found: dict[Path, dict[str, Any]] = {}
    for path in sorted((folder / "configs").iterdir()) if (folder / "configs").is_dir() else []:
        if path.suffix in ENDINGS and path.stem not in CONFIG_NAMES:
            try:
                content = read_config(path)
            except MedunetError:
                continue  # what can't be read is told of by others
            if isinstance(content, dict):
                found[path] = content
    whole = {path: content for path, content in found.items() if _stands_alone(path, content)}
    return [_join(path, content, whole) for path, content in found.items()]


def _stands_alone(path: Path, content: Mapping[str, Any]) -> bool:
    paths = any("#" in key or "::" in key or key.startswith("+") for key in content)
    return not paths and not path.stem.startswith("multi_gpu_") and any(key in content for key in STARTS)


def _join(path: Path, content: dict[str, Any], whole: Mapping[Path, dict[str, Any]]) -> Config:
    """A configuration with that which it overrides: the one that it is called like, or that has most of its keys."""
    if path in whole or not whole:
        return Config(path, content, content, None, {})

    def fits(other: Path) -> tuple[bool, int]:
        keys = [_split(key) for key in content]
        return other.stem in path.stem, sum(follow(whole[other], parts) is not None for parts in keys)

    base = max(whole, key=fits)
    joined = copy.deepcopy(whole[base])
    for key, value in content.items():
        _override(joined, _split(key), value)
    return Config(path, joined, content, base, whole[base])


def _override(config: dict[str, Any], parts: list[str], value: Any) -> None:
    """Put a value where its key points, as far as that is there."""
    place: Any = follow(config, parts[:-1]) if len(parts) > 1 else config
    if isinstance(place, dict):
        place[parts[-1]] = value
    elif isinstance(place, list) and parts[-1].isdigit() and int(parts[-1]) < len(place):
        place[int(parts[-1])] = value


def _split(key: str) -> list[str]:
    return key.removeprefix("+").replace("#", "::").split("::")


def follow(config: Any, parts: list[str], hops: int = MOST_HOPS) -> Any:
    """What a path of keys leads to, through references.

    Args:
        config: a whole configuration.
        parts: of the path.
        hops: references that are followed at most, since some lead in a circle.

    Returns:
        None where it leads to nothing, `ELSEWHERE` where only MONAI's parser knows.
    """
    value = config
    for number, part in enumerate(parts):
        while isinstance(value, str) and REFERENCE.fullmatch(value):
            hops -= 1
            if hops < 0:
                return None
            value = follow(config, _split(value[1:]), hops)
        if value is ELSEWHERE or (number and isinstance(value, str) and value.startswith(("$", "%"))):
            return ELSEWHERE
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return None
        value = ELSEWHERE if value is None else value
    return value


def _check_text(config: Config, key: str, text: str) -> Iterator[Finding]:
    if text.startswith("%"):
        names = [] if "." in text.partition("::")[0].partition("#")[0] else [f"@{text[1:]}"]
    else:
        names = REFERENCE.findall(text)
    for name in dict.fromkeys(names):
        if follow(config.content, _split(name[1:])) is None:
            found = f"'{key}' refers to '{name[1:]}', which isn't there"
            near = difflib.get_close_matches(name[1:].partition("::")[0].partition("#")[0], list(config.content), n=1)
            remedy = f"did you mean '{near[0]}'?" if near else "correct the reference or add what it names"
            yield make_finding("bundle-reference", config.path, found, remedy)


def _check_overrides(config: Config) -> Iterator[Finding]:
    """Keys of an override that change nothing of what they override."""
    if config.base is None:
        return
    named = {_split(name[1:])[0] for name in _list_references(config)}
    for key in config.own:
        parts = _split(key)
        if len(parts) == 1:
            there = key.removeprefix("+") in {*config.before, *named, *RUN_KEYS}
        else:
            # The last part may be new: an argument that the base leaves to its usual value.
            there = follow(config.content, parts[:-1]) is not None
        if not there:
            found = f"it overrides '{key}', which {config.base.name} doesn't have"
            near = difflib.get_close_matches(key, [*config.before, *RUN_KEYS], n=1)
            remedy = f"did you mean '{near[0]}'?" if near else "leave it out"
            yield make_finding("bundle-reference", config.path, found, remedy)


def _list_references(config: Config) -> set[str]:
    texts = (text for _, text in walk(config.content) if isinstance(text, str) and text.startswith(("$", "@", "%")))
    return {name for text in texts for name in REFERENCE.findall(text.replace("%", "@", 1) if text[0] == "%" else text)}


def _check_names(config: Config) -> Iterator[Finding]:
    """Keys that nothing refers to and that are nearly called like those that MONAI runs by itself."""
    for key in config.own:
        near = difflib.get_close_matches(key, RUN_KEYS, n=1, cutoff=NEAR)
        if near and key not in RUN_KEYS and f"@{key}" not in _list_references(config):
            found = f"nothing refers to '{key}', and MONAI doesn't run it"
            yield make_finding("bundle-reference", config.path, found, f"did you mean '{near[0]}'?")
