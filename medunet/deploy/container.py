"""What runs in a container: the jobs of `medunet predict` on its folders, and what the container says of itself."""

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medunet.deploy.outcome import Outcome, segment, write_outcome
from medunet.deploy.quiet import silence_libraries
from medunet.errors import InputError, MedunetError
from medunet.progress import speaking
from medunet.records import suggest

USUAL_FORMATS = "seg,sr"
FORMATS = "MEDUNET_FORMATS"
"""Variable with names of formats, with commas between."""
RULES = "MEDUNET_SERIES_RULES"
"""Variable with rules for series, with semicolons between."""
SETTINGS = ("formats", "series_rules")
"""What a rule of mercure may set for the module."""
HELP = """Segments the DICOM series of a folder.

  (nothing)         run
  show [app|pkg]    print the manifests
  env               print the variables of the environment
  extract           copy app, config, models and docs to /var/run/holoscan/export, or to those folders in it that exist
  help              this text

HOLOSCAN_INPUT_PATH, HOLOSCAN_OUTPUT_PATH: folders of the scan and of the results (MERCURE_IN_DIR and MERCURE_OUT_DIR
count before them). MEDUNET_FORMATS: formats of the results, "seg,sr" if not given. MEDUNET_SERIES_RULES: which series
is a channel, with semicolons between, in place of the bundle's rules. Exit codes: 0 segmented or nothing found,
2 refused, 3 no series matched, 1 a fault of the program; result.json beside the results says more."""
EXPORTED = {
    "app": ("HOLOSCAN_APPLICATION",),
    "config": ("HOLOSCAN_APP_MANIFEST_PATH", "HOLOSCAN_PKG_MANIFEST_PATH", "HOLOSCAN_CONFIG_PATH"),
    "models": ("HOLOSCAN_MODEL_PATH",),
    "docs": ("HOLOSCAN_DOCS",),
}
"""Folders of an export, and the variables that name what is copied there."""


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do.

    Attributes:
        source: folder of the scan.
        target: folder of the results.
        models: folder of the bundle.
        formats: of the results.
        rules: which series is a channel.
        notify: the result carries what mercure tells its users.
    """

    source: Path
    target: Path
    models: Path
    formats: tuple[str, ...]
    rules: tuple[str, ...]
    notify: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the container's arguments say.

    Returns:
        Exit code, as `help` lists them.
    """
    word, *rest = [*(sys.argv[1:] if arguments is None else arguments), ""]
    if word == "help":
        print(HELP)  # noqa: T201 - the container's screen
    elif word == "show":
        _show(rest[0])
    elif word == "env":
        print("\n".join(f"{name}={value}" for name, value in sorted(os.environ.items())))  # noqa: T201 - as above
    elif word == "extract":
        _extract()
    else:
        return _run()
    return 0


def _run() -> int:
    """Segment, and leave `result.json` whatever comes of it."""
    silence_libraries()
    work: Work | None = None
    started = time.monotonic()
    try:
        work = find_work(os.environ)
        with speaking():
            outcome = segment(work.source, work.target, work.models, work.formats, work.rules)
    except MedunetError as error:
        outcome = Outcome(status="refused", code=error.code, message=str(error))
    target = Path(_find_folder(os.environ, "OUT")) if work is None else work.target
    if work is None or work.notify:
        requested = outcome.status != "nothing found"
        outcome = outcome.model_copy(update={"mercure_notification": {"text": outcome.message, "requested": requested}})
    write_outcome(outcome, target)
    said = f"medunet: {outcome.status} in {time.monotonic() - started:.1f} s: {outcome.message}"
    print(said, file=sys.stdout if outcome.exit_code == 0 else sys.stderr)
    return outcome.exit_code


def find_work(environment: Mapping[str, str]) -> Work:
    """What a container is to do, by its variables and, in mercure, by the settings of its task.

    Raises:
        InputError: the task can't be read, or sets what there isn't.
    """
    source, target = (Path(_find_folder(environment, side)) for side in ("IN", "OUT"))
    notify = "MERCURE_IN_DIR" in environment
    settings = _read_settings(source / "task.json") if notify else {}
    formats = _split(settings.get("formats", environment.get(FORMATS) or USUAL_FORMATS), ",")
    rules = _split(settings.get("series_rules", environment.get(RULES, "")), ";")
    models = Path(environment.get("HOLOSCAN_MODEL_PATH", "/opt/holoscan/models/"))
    return Work(source, target, models, formats, rules, notify)


def _split(text: Any, sign: str) -> tuple[str, ...]:
    """The parts of a text, or of a list."""
    parts = text if isinstance(text, list) else str(text).split(sign)
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _find_folder(environment: Mapping[str, str], side: str) -> str:
    name = {"IN": "INPUT", "OUT": "OUTPUT"}[side]
    usual = environment.get(f"HOLOSCAN_{name}_PATH", f"/var/holoscan/{name.lower()}/")
    return environment.get(f"MERCURE_{side}_DIR", usual)


def _read_settings(path: Path) -> dict[str, Any]:
    """What a rule of mercure sets for this module."""
    if not path.exists():
        return {}
    try:
        task = json.loads(path.read_text("utf-8"))
        process = task.get("process") or {}
        settings = process.get("settings") or {}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(path, f"it isn't a task of mercure ({error})", "restore it", code="file-damaged") from None
    for name in settings:
        if name not in SETTINGS:
            found = f"its settings hold '{name}', which this module doesn't know"
            raise InputError(path, found, suggest(name, list(SETTINGS)), code="option-wrong")
    return dict(settings)


def _show(which: str) -> None:
    names = {"app": "HOLOSCAN_APP_MANIFEST_PATH", "pkg": "HOLOSCAN_PKG_MANIFEST_PATH"}
    for key, name in names.items():
        path = Path(os.environ.get(name, f"/etc/holoscan/{key}.json"))
        if which in ("", key) and path.exists():
            print(path.read_text("utf-8"))  # noqa: T201 - the container's screen


def _extract() -> None:
    """Copy what the container holds to the folder of exports, or to those of its folders that were mounted."""
    target = Path(os.environ.get("MEDUNET_EXPORT_PATH", "/var/run/holoscan/export"))
    mounted = [name for name in EXPORTED if (target / name).is_dir()]
    for name in mounted or EXPORTED:
        for variable in EXPORTED[name]:
            source = Path(os.environ.get(variable, ""))
            if source.is_file():
                (target / name).mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target / name)
            elif variable in os.environ and source.is_dir():
                shutil.copytree(source, target / name, dirs_exist_ok=True)
