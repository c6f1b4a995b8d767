"""Write docs/reference/cli.md and docs/reference/python.md from the program itself: run it after a change of either.

Commands say what `--help` says, verbs and types what their docstrings say, so that neither page can be wrong.
"""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import medunet

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
COMMANDS = ("", "check", "cohort export", "init", "plan", "train", "predict", "evaluate")
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
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        names.append(f"{star}{parameter.name}{default}")
    return f"({', '.join(names)})"


PAGES = {"cli.md": describe_commands, "python.md": describe_names}


if __name__ == "__main__":
    for page, describe in PAGES.items():
        (FOLDER / page).write_text(describe(), encoding="utf-8")
