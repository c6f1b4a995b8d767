"""A bundle's rules for series: `configs/series.json`, and what a user says beside it."""

from collections.abc import Iterable
from pathlib import Path

from medunet.errors import InputError
from medunet.reading.rules import ChannelRule, Rules, SeriesRules, check_rules, parse_rule
from medunet.records import read_record, write_record
from medunet.task import Task

NAME = "series.json"


def write_rules(configs: Path, task: Task) -> None:
    """Write rules that say what holds without any, a channel each, for users to go on from; pictures have no series."""
    if task.unit == "px":
        return
    rules = {name: ChannelRule(where=(f"modality={task.modalities[name]}",)) for name in task.channels}
    write_record(configs / NAME, SeriesRules(channels=rules))


def find_rules(bundle: Path, task: Task, given: Iterable[str] = ()) -> Rules:
    """The rules of a bundle, medunet's own or from elsewhere, and those of a user.

    Args:
        bundle: its folder.
        task: whose channels they are for.
        given: rules as text, as of `parse_rule`. Those of one channel add up, and replace that of the bundle.

    Returns:
        A rule for each channel that has one which asks for more than the channel's modality.

    Raises:
        InputError: a rule is for no channel of the task, can't be read, or can't be fulfilled.
        RecordError: the bundle's series.json is no JSON, or a key of it is unknown or of the wrong kind.
    """
    path = bundle / "configs" / NAME
    rules = dict(read_record(path, SeriesRules).channels) if path.is_file() else {}
    check_rules(rules, task.modalities, str(path))
    own: dict[str, ChannelRule] = {}
    for text in given:
        subject = f"--series-rule '{text}'"
        name, rule = parse_rule(text)
        if not name and len(task.channels) > 1:
            found, remedy = "it names no channel", f"write it like '{task.channels[0]}: {text.strip()}'"
            raise InputError(subject, found, remedy, code="option-wrong")
        name = name or task.channels[0]
        before = own.get(name, ChannelRule())
        own[name] = ChannelRule(where=before.where + rule.where, prefer=before.prefer + rule.prefer)
        check_rules(own, task.modalities, subject)
    settled = {name: {f"modality={code}"} for name, code in task.modalities.items()}
    return {name: rule for name, rule in (rules | own).items() if rule.prefer or {*rule.where} - settled[name]}
