"""Rules that say which series of a folder is a channel: conditions on what it is like, and which one wins.

One condition is written `KEY OPERATOR VALUE`, like `thickness<=3`, `description!~lung` or `modality=CT|PT`; several
stand between commas, and all must hold. Text is compared without regard to case.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from pydantic import Field

from medunet.errors import InputError
from medunet.reading.dicom.series import Series
from medunet.reading.dicom.traits import PLANES, Traits, find_traits
from medunet.records import Record, suggest

NUMBERS = ("thickness", "spacing", "pixel", "slices", "number")
TEXTS = ("modality", "description", "plane", "kernel", "contrast", "image_type")
VALUES = {"plane": (*PLANES, "oblique"), "contrast": ("yes", "no")}
"""Keys that have a few values."""
WRONG: Literal["option-wrong"] = "option-wrong"
COMPARING = ("<=", ">=", "<", ">", "=")
MATCHING = ("!=", "!~", "=", "~")
PART = re.compile(r"""\s*(\w+)\s*(<=|>=|!=|!~|=|~|<|>)\s*("[^"]*"|[^,"]*?)\s*(?:,|$)""")
WRITE = "write it like 'ct: thickness<=3, description!~lung, prefer=thinnest'"
Preference = Literal["thinnest", "thickest", "most-slices", "fewest-slices", "earliest", "latest"]
"""Which of several series wins; earliest and latest by SeriesNumber."""


class ChannelRule(Record):
    """Which series is a channel."""

    where: tuple[str, ...] = ()
    """Conditions, all of which hold for the channel's series, like "thickness<=3"."""
    prefer: tuple[Preference, ...] = ()
    """Which of several series wins; the next word decides among those that are equal in the one before."""


Rules = Mapping[str, ChannelRule]
NO_RULE = ChannelRule()


class SeriesRules(Record):
    """`configs/series.json`: which series of a study is which channel."""

    channels: dict[str, ChannelRule] = Field(default_factory=dict)
    """A rule for each channel by its name; one without a rule is matched by modality alone."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    Attributes:
        text: as it was written.
        key: of NUMBERS or TEXTS.
        sign: operator.
        values: in lower case, one of which is meant; a pattern is one value.
        number: that is compared with, NaN of texts.
    """

    text: str
    key: str
    sign: str
    values: tuple[str, ...]
    number: float = math.nan

    def explain(self, traits: Traits) -> str:
        """Why a series doesn't fulfil it; "" if it does."""
        own = getattr(traits, self.key)
        if self.key in NUMBERS:
            return "" if own is not None and self._compare(own) else self._say("none" if own is None else f"{own:g}")
        texts = [text.casefold() for text in ((own,) if isinstance(own, str) else own or ())]
        if self.sign in ("=", "!="):
            met = any(value in texts for value in self.values)
        else:
            met = re.search(self.values[0], "\\".join(texts), re.IGNORECASE) is not None
        shown = own if isinstance(own, str) else "\\".join(own or ()) or "none"
        return "" if met != self.sign.startswith("!") else self._say(shown)

    def _compare(self, own: float) -> bool:
        if self.sign == "=":
            return math.isclose(own, self.number, rel_tol=1e-3)
        if self.sign.endswith("="):  # a header's 3.0000001 is 3
            equal = math.isclose(own, self.number, rel_tol=1e-6)
            return equal or (own < self.number if self.sign == "<=" else own > self.number)
        return own < self.number if self.sign == "<" else own > self.number

    def _say(self, own: str) -> str:
        return f"{self.key} is {own}, not {self.text}"


def parse_rule(text: str) -> tuple[str, ChannelRule]:
    """The channel and the rule of `CHANNEL: CONDITION, CONDITION, prefer=WORD`.

    Returns:
        Name of the channel, "" where none is named, which means the only one; and its rule.

    Raises:
        InputError: it isn't written so.
    """
    subject = f"--series-rule '{text}'"
    channel, _, rest = text.partition(":") if re.match(r"\s*[^\s:<>=!~,]+\s*:", text) else ("", "", text)
    where: list[str] = []
    prefer: list[Preference] = []
    at = 0
    while at < len(rest):
        match = PART.match(rest, at)
        if match is None:
            raise InputError(subject, f"'{rest[at:].strip()}' is no condition", WRITE, code=WRONG)
        at = match.end()
        if match[1] == "prefer":
            word = next((word for word in get_args(Preference) if match[2] == "=" and word == match[3]), None)
            if word is None:
                remedy = suggest(match[3], list(get_args(Preference)))
                raise InputError(subject, f"prefer{match[2]}{match[3]} is no preference", remedy, code=WRONG)
            prefer.append(word)
        else:
            where.append(f"{match[1]}{match[2]}{match[3]}")
    if not where and not prefer:
        raise InputError(subject, "it holds no condition", WRITE, code=WRONG)
    return channel.strip(), ChannelRule(where=tuple(where), prefer=tuple(prefer))


@cache
def parse_condition(text: str) -> Condition:
    """A condition from its text.

    Raises:
        InputError: a key, operator or value is unknown, or a pattern is broken.
    """
    match = PART.fullmatch(text)
    if match is None or match[3] in ("", '""'):
        raise InputError(text, "it is no condition", "write it like thickness<=3 or description~^portal", code=WRONG)
    key, sign, value = match[1], match[2], match[3].strip('"')
    if key not in (*NUMBERS, *TEXTS):
        found = f"the key '{key}' is unknown"
        raise InputError(text, found, suggest(key, [*TEXTS, *NUMBERS, "prefer"]), code=WRONG)
    signs = COMPARING if key in NUMBERS else MATCHING
    if sign not in signs:
        raise InputError(text, f"'{key}' takes no {sign}", f"use one of {' '.join(signs)}", code=WRONG)
    return _make_number(text, key, sign, value) if key in NUMBERS else _make_text(text, key, sign, value)


def _make_number(text: str, key: str, sign: str, value: str) -> Condition:
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", value):
        raise InputError(text, f"'{value}' is no number", "write it like thickness<=3, in mm", code=WRONG)
    return Condition(text, key, sign, (), float(value))


def _make_text(text: str, key: str, sign: str, value: str) -> Condition:
    if sign.endswith("~"):
        try:
            re.compile(value)
        except re.error as error:
            found = f"'{value}' is no regular expression ({error})"
            raise InputError(text, found, "correct it; a character is meant as it is behind a \\", code=WRONG) from None
        return Condition(text, key, sign, (value,))
    values = tuple(part.strip().casefold() for part in value.split("|"))
    for part in values:
        if part not in VALUES.get(key, (part,)):
            raise InputError(text, f"'{part}' is no {key}", suggest(part, list(VALUES[key])), code=WRONG)
    return Condition(text, key, sign, values)


def check_rules(rules: Rules, modalities: Mapping[str, str], subject: str) -> Rules:
    """Refuse rules that no series of its channel could fulfil, or that can't be read.

    Args:
        rules: by channel.
        modalities: of the channels of a task, by their names.
        subject: where the rules stand, for messages.

    Returns:
        The rules.

    Raises:
        InputError: a channel or a key is unknown, a range is impossible, or a pattern is broken.
    """
    for channel, rule in rules.items():
        if channel not in modalities:
            found = f"it has a rule for '{channel}', but the bundle has no such channel"
            raise InputError(subject, found, suggest(channel, list(modalities)), code=WRONG)
        try:
            conditions = [parse_condition(text) for text in rule.where]
        except InputError as error:
            found = f"of channel '{channel}', '{error.subject}': {error.found}"
            raise InputError(subject, found, error.remedy, code=WRONG) from None
        for key in dict.fromkeys(item.key for item in conditions):
            own = [item for item in conditions if item.key == key]
            if _is_impossible(own, modalities[channel] if key == "modality" else None):
                said = " and ".join(item.text for item in own)
                found = f"of channel '{channel}', no {modalities[channel]} series fulfils {said}"
                raise InputError(subject, found, "correct it", code=WRONG)
    return rules


def _is_impossible(conditions: Sequence[Condition], only: str | None) -> bool:
    """Whether nothing fulfils conditions of one key; `only` is the one value that it may have."""
    if conditions[0].key in NUMBERS:
        low = max((item.number for item in conditions if item.sign in (">", ">=", "=")), default=0.0)
        high = min((item.number for item in conditions if item.sign in ("<", "<=", "=")), default=math.inf)
        strict = any(item.number == low and item.sign == ">" for item in conditions)
        strict |= any(item.number == high and item.sign == "<" for item in conditions)
        return low > high or (low == high and strict)
    if conditions[0].key == "image_type":  # it has several values at once
        return False
    wanted = [set(item.values) for item in conditions if item.sign == "="]
    if only is not None:
        wanted.append({only.casefold()})
    left = set.intersection(*wanted) if wanted else None
    barred = {value for item in conditions if item.sign == "!=" for value in item.values}
    return left is not None and not left - barred


def explain_series(series: Series, rule: ChannelRule, modality: str) -> str:
    """Why a series isn't the one of a channel; "" if it may be.

    Args:
        series: as found.
        rule: of the channel.
        modality: of the channel.
    """
    if series.modality != modality:
        return f"modality is {series.modality or 'none'}, not {modality}"
    traits = find_traits(series) if rule.where else None
    return "; ".join(why for text in rule.where if traits and (why := parse_condition(text).explain(traits)))


def prefer_series(found: Sequence[Series], rule: ChannelRule) -> list[Series]:
    """The series that win by the preferences of a rule: several where these don't tell them apart."""
    left = list(found)
    for word in rule.prefer:
        if len(left) < 2:
            break
        ranks = [_rank(find_traits(series), word) for series in left]
        left = [series for series, rank in zip(left, ranks, strict=True) if rank == min(ranks)]
    return left


def _rank(traits: Traits, word: Preference) -> float:
    """The smallest wins; what headers don't say comes last."""
    value: float | None
    if word in ("thinnest", "thickest"):
        value = traits.thickness if traits.thickness is not None else traits.spacing
    elif word in ("most-slices", "fewest-slices"):
        value = traits.slices
    else:
        value = traits.number
    if value is None:
        return math.inf
    return -value if word in ("thickest", "most-slices", "latest") else value


def tell_reasons(
    found: Iterable[Series], rule: ChannelRule, modality: str, left: Sequence[Series] | None = None
) -> dict[str, str]:
    """For each series by its UID, why it isn't the one of a channel, or that it fits.

    Args:
        found: the series.
        rule: of the channel.
        modality: of the channel.
        left: those that preferences leave, where there are any.
    """
    lost = "fits, but another one is preferred"
    reasons = {}
    for series in found:
        fits = "fits" if left is None or series in left else lost
        reasons[series.uid] = explain_series(series, rule, modality) or fits
    return reasons
