"""Execute the steps of a build folder's Dockerfile where there is no Docker: in a folder of its own, as a user."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medunet.errors import InputError, ResourceError
from medunet.files import check_input

OWN = re.compile(r"(?<![\w./-])/(?:opt|etc|var|var/run)/(?:holoscan|monai)(?=[/\s\"';:]|$)")
"""Folders of the image, which lie below the root of its own here."""
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::([-+])((?:[^{}]|\{[^{}]*\})*))?\}|(\w+))")
ROOT = ".run"
"""Of the environments, in the build folder."""


@dataclass(slots=True)
class Image:
    """What the steps of a Dockerfile come to.

    Attributes:
        root: below which the image's folders lie.
        environment: variables that its steps set.
        folder: in which it works.
        entry: words of its entry point.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    entry: tuple[str, ...] = ()

    def move(self, text: str) -> str:
        """A text in which the image's folders lie below its root."""
        return OWN.sub(lambda found: f"{self.root}{found[0]}", text)

    def list_variables(self) -> dict[str, str]:
        """Variables of a process in the image: none of this machine but what finds programs and packages."""
        ours = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "LANG", "LC_"))}
        path = f"{self.root / 'python' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**ours, "PATH": path, **{name: self.move(value) for name, value in self.environment.items()}}


def read_steps(path: Path) -> list[tuple[str, str]]:
    """Instructions of a Dockerfile with their arguments, continued lines joined and comments left out.

    Raises:
        InputError: it isn't there, or a line is no instruction.
    """
    check_input(path)
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    steps = []
    for line in filter(str.strip, joined.splitlines()):
        word, _, rest = line.strip().partition(" ")
        if word not in STEPS:
            raise InputError(
                path, f"it has the instruction {word}", "write it with medunet package", code="record-wrong"
            )
        steps.append((word, rest.strip()))
    return steps


def choose_stage(steps: list[tuple[str, str]], target: str) -> list[tuple[str, str]]:
    """The instructions that a stage consists of, those of the stages that it begins from first.

    Raises:
        InputError: there is no such stage.
    """
    stages: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    current: list[tuple[str, str]] = []
    for word, rest in steps:
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            current = []
            stages[name] = (base, current)
        else:
            current.append((word, rest))
    if target not in stages:
        raise InputError(f"--target {target}", "the Dockerfile has no such image", f"known are {', '.join(stages)}")
    base, own = stages[target]
    return [*(choose_stage(steps, base) if base in stages else []), *own]


def build(folder: Path, target: str) -> Image:
    """Execute the steps of an image, unless that was done before with the same files.

    Args:
        folder: from `write_package`.
        target: name of the image.

    Raises:
        InputError: the folder holds no Dockerfile, or one with other instructions than medunet writes.
        ResourceError: a step fails.
    """
    steps = choose_stage(read_steps(folder / "Dockerfile"), target)
    image = Image(folder.resolve() / ROOT / target)
    done = image.root / ".done"
    digest = _hash_files(folder)
    again = done.exists() and done.read_text("utf-8") == digest
    if not again:
        shutil.rmtree(image.root, ignore_errors=True)
        venv.create(image.root / "python", with_pip=True, symlinks=True)
    arguments: dict[str, str] = {}
    for word, rest in steps:
        if word == "ARG":
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                image.environment[name] = _fill(value, {**arguments, **image.environment})
        elif word == "WORKDIR":
            image.folder = rest
        elif word == "ENTRYPOINT":
            image.entry = tuple(shlex.split(re.sub(r"[\[\],]", " ", rest)))
        elif word == "COPY" and not again:
            _copy(folder, image, rest)
        elif word == "RUN" and not again:
            _execute(image, arguments, rest)
    done.write_text(digest, "utf-8")
    return image


def run_image(image: Image, arguments: list[str], variables: Mapping[str, str]) -> int:
    """Run the image's entry point, as a container would, and give its exit code.

    Args:
        image: from `build`.
        arguments: of the entry point.
        variables: that a host sets.
    """
    words = [image.move(word) for word in image.entry]
    environment = {**image.list_variables(), **variables}
    folder = Path(image.move(image.folder))
    folder.mkdir(parents=True, exist_ok=True)
    # An environment is asked for its program by its full path, as the search for one takes this process's variables.
    words[0] = shutil.which(words[0], path=environment["PATH"]) or words[0]
    return subprocess.run([*words, *arguments], env=environment, cwd=folder, check=False).returncode  # noqa: S603 - its own


def _hash_files(folder: Path) -> str:
    """Of all files but those of environments, with their names, and of the Python that runs them."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if name.parts[0] != ROOT:
            digest.update(f"{name} {path.stat().st_size} {path.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _fill(text: str, known: Mapping[str, str]) -> str:
    """A text with its variables replaced, as `${NAME:+words}` and `${NAME:-words}` too."""

    def replace(found: re.Match[str]) -> str:
        name, how, words, plain = found.groups()
        value = known.get(name or plain, "")
        if how == "+":
            return _fill(words, known) if value else ""
        return _fill(words, known) if how == "-" and not value else value

    return VARIABLE.sub(replace, text)


def _copy(folder: Path, image: Image, rest: str) -> None:
    source, target = rest.split()
    place = Path(image.move(target))
    place.parent.mkdir(parents=True, exist_ok=True)
    if (folder / source).is_dir():
        shutil.copytree(folder / source, place, dirs_exist_ok=True)
    else:
        shutil.copy(folder / source, place)


def _execute(image: Image, arguments: Mapping[str, str], rest: str) -> None:
    environment = {**image.list_variables(), **arguments}
    place = Path(image.move(image.folder)) if image.folder != "/" else image.root
    command = ["/bin/sh", "-c", image.move(rest)]
    done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=False)  # noqa: S603 - as Docker does
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        found = f"the step 'RUN {rest[:60]}…' ends with {done.returncode} ({' '.join(last)[:200]})"
        raise ResourceError("Dockerfile", found, "mend that step, or the index that it takes packages from")


STEPS = frozenset(("ARG", "FROM", "ENV", "COPY", "RUN", "LABEL", "WORKDIR", "USER", "ENTRYPOINT"))
"""Instructions that medunet writes; labels and the user say nothing where there is no container."""
