"""Write three pages of docs/reference from the program itself: run it after a change of what they tell.

Commands say what `--help` says, verbs and types what their docstrings say, files what the records say that read and
write them, so that no page can be wrong.
"""

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

import medunet

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
COMMANDS = (
    "",
    "check",
    "cohort export",
    "init",
    "plan",
    "train",
    "distill",
    "predict",
    "evaluate",
    "convert",
    "bundle audit",
    "bundle check",
    "bundle card",
    "bundle export",
)
WIDTH = "80"
"""Columns of the text of `--help`."""
HEAD = "<!-- written by workflows/reference_pages.py -->\n"


def describe_commands() -> str:
    """The page of commands, in Markdown."""
    parts = [f"# The command line\n{HEAD}"]
    for name in COMMANDS:
        title = f"medunet {name}".strip()
        parts.append(f"## {title}\n```\n{_ask_for_help(name.split())}\n```\n")
    return "\n".join(parts)


def _ask_for_help(command: list[str]) -> str:
    environment = {**os.environ, "COLUMNS": WIDTH, "TERM": "dumb"}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "medunet", *command, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def describe_names() -> str:
    """The page of the root package's names, in Markdown: verbs first, then types, then errors."""
    things = {name: getattr(medunet, name) for name in medunet.__all__ if name != "__version__"}
    verbs = {name: item for name, item in things.items() if inspect.isfunction(item)}
    errors = {n: item for n, item in things.items() if isinstance(item, type) and issubclass(item, Exception)}
    types = {name: item for name, item in things.items() if name not in verbs and name not in errors}
    parts = [f"# From Python\n{HEAD}\n`import medunet` loads nothing heavy; every name comes when it is first used.\n"]
    for title, group in (("Verbs", verbs), ("Types", types), ("Errors", errors)):
        parts.append(f"## {title}\n")
        for name, item in group.items():
            head = f"{name}{_sign(item)}" if inspect.isfunction(item) else name
            parts.append(f"### medunet.{name}\n```\n{head}\n\n{inspect.getdoc(item)}\n```\n")
    return "\n".join(parts)


def _sign(function: object) -> str:
    """The arguments of a verb and their defaults."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    names: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not any(n.startswith("*") for n in names):
            names.append("*")
        if parameter.kind is parameter.VAR_KEYWORD:
            (further,) = get_args(parameter.annotation)
            names += [f"{name}=…" for name in further.__annotations__]
            continue
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        names.append(f"{star}{parameter.name}{default}")
    return f"({', '.join(names)})"


def describe_files() -> str:
    """The page of the JSON files that medunet writes, in Markdown: a table of keys for each."""
    from medunet.bundle import Metadata
    from medunet.calibration import Calibration
    from medunet.cohort import Cohort
    from medunet.evaluation import Comparison, CrossValidation, Summary
    from medunet.handover import SelfTest
    from medunet.handover.exports.consumer import Consumer
    from medunet.handover.statements import Statements
    from medunet.inference import PredictionRecord
    from medunet.measures import Measures
    from medunet.measuring import Fingerprint
    from medunet.planning import Plan
    from medunet.training import FoldResult, Schedule

    files: dict[str, tuple[type[BaseModel], str]] = {
        "configs/plan.json": (Plan, "of a bundle; `medunet plan BUNDLE --explain` prints it with its reasons"),
        "configs/metadata.json": (Metadata, "of a bundle, by MONAI's schema; further keys are kept"),
        "configs/fingerprint.json": (Fingerprint, "of a bundle: what was measured of its cohort, cases numbered"),
        "cohort.json": (Cohort, "what `medunet init` takes, and `work/cohort.json` of a bundle"),
        "work/fold<K>/schedule.json": (Schedule, "of a run: what it does"),
        "work/fold<K>/result.json": (FoldResult, "of a run: what it came to"),
        "OUT/<scan>.json": (PredictionRecord, "the run record beside a prediction"),
        "OUT/<scan>.measures.json": (Measures, "what is measured of a predicted mask"),
        "docs/calibration.json": (Calibration, "of a bundle: its temperature, and how well probabilities hold"),
        "docs/card.json": (Statements, "of a bundle: what only a person can say for its model card"),
        "docs/selftest/selftest.json": (SelfTest, "of a bundle: a made-up case and what is expected of it"),
        "DIR/model.onnx.json": (Consumer, "beside each exported network: what a program must do around it"),
        "work/cross_validation/scores.json": (
            CrossValidation,
            "scores of all held-out patients; `scores` alone is what `medunet evaluate` writes as `scores.json`",
        ),
        "summary.json": (Summary, "what `medunet evaluate` writes beside `scores.json`: what these come to"),
        "comparison.json": (Comparison, "what `medunet compare` writes"),
    }
    within = "Keys of records within records are joined by dots; `*` stands for any name, `[]` for each."
    parts = [f"# Files\n{HEAD}\n{within}\n"]
    for name, (kind, words) in files.items():
        rows = "\n".join(f"| `{key}` | {meaning} |" for key, meaning in _list_keys(kind))
        parts.append(f"## {name}\n{words[0].upper()}{words[1:]}.\n\n| key | is |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _list_keys(kind: type[BaseModel], before: str = "") -> Iterator[tuple[str, str]]:
    """Path and meaning of each key of a record, and of the records within it."""
    for name, field in kind.model_fields.items():
        key, inside = f"{before}{field.alias or name}", list(_find_records(field.annotation, ""))
        # A record says itself what it is.
        own = (inspect.getdoc(inside[0][0]) or "").split("\n\n")[0] if inside else ""
        yield key, " ".join((field.description or own).split()).replace("|", "\\|")
        for inner, sign in inside:
            yield from _list_keys(inner, f"{key}{sign}.")


def _find_records(annotation: Any, sign: str) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, sign
        return
    origin = get_origin(annotation)
    more = {dict: ".*", tuple: "[]", list: "[]"}.get(origin, "")
    for part in get_args(annotation):
        yield from _find_records(part, sign + more)


PAGES = {"cli.md": describe_commands, "python.md": describe_names, "files.md": describe_files}


if __name__ == "__main__":
    for page, describe in PAGES.items():
        (FOLDER / page).write_text(describe(), encoding="utf-8")
