"""What runs in a container: the jobs of `medunet predict` on its folders, and what the container says of itself."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from medunet.deploy.outcome import Work, conclude, segment
from medunet.deploy.settings import SETTINGS, Way, list_variables, name_variable

HELP = """Segments the DICOM series of a folder.

  (nothing)         run
  show [app|pkg]    print the manifests
  env               print the variables of the environment
  extract           copy app, config, models and docs to /var/run/holoscan/export, or to those folders in it that exist
  help              this text

HOLOSCAN_INPUT_PATH, HOLOSCAN_OUTPUT_PATH: folders of the scan and of the results (MERCURE_IN_DIR and MERCURE_OUT_DIR
count before them). Settings, which a rule of mercure sets by the second of their names:

{settings}

Exit codes: 0 segmented or nothing found, 2 refused, 3 no series matched, 1 a fault of the program; result.json beside
the results says more."""
EXPORTED = {
    "app": ("HOLOSCAN_APPLICATION",),
    "config": ("HOLOSCAN_APP_MANIFEST_PATH", "HOLOSCAN_PKG_MANIFEST_PATH", "HOLOSCAN_CONFIG_PATH"),
    "models": ("HOLOSCAN_MODEL_PATH",),
    "docs": ("HOLOSCAN_DOCS",),
}
"""Folders of an export, and the variables that name what is copied there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the container's arguments say.

    Returns:
        Exit code, as `help` lists them.
    """
    word, *rest = [*(sys.argv[1:] if arguments is None else arguments), ""]
    if word == "help":
        print(HELP.format(settings="\n".join(map(_describe, SETTINGS))))  # noqa: T201 - the container's screen
    elif word == "show":
        _show(rest[0])
    elif word == "env":
        print("\n".join(f"{name}={value}" for name, value in sorted(os.environ.items())))  # noqa: T201 - as above
    elif word == "extract":
        _extract()
    else:
        return conclude(find_work(os.environ), segment)
    return 0


def find_work(environment: Mapping[str, str]) -> Work:
    """What a container is to do, by its variables; in mercure by the settings of its task, too."""
    source, target = (Path(_find_folder(environment, side)) for side in ("IN", "OUT"))
    models = Path(environment.get("HOLOSCAN_MODEL_PATH", "/opt/holoscan/models/"))
    way: Way = "rule" if "MERCURE_IN_DIR" in environment else "variables"
    return Work(source, target, models, list_variables(environment), way)


def _find_folder(environment: Mapping[str, str], side: str) -> str:
    name = {"IN": "INPUT", "OUT": "OUTPUT"}[side]
    usual = environment.get(f"HOLOSCAN_{name}_PATH", f"/var/holoscan/{name.lower()}/")
    return environment.get(f"MERCURE_{side}_DIR", usual)


def _describe(name: str) -> str:
    setting = SETTINGS[name]
    several = f" (several with {setting.sign} between)" if setting.sign == ";" else ""
    return f"  {name_variable(name):23} {name:15} {setting.form}: {setting.help}{several}"


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
