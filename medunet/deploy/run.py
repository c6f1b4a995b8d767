"""Run the application natively, with options for folders and settings, and end as the container does."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from medunet.deploy.outcome import Analysis, Work, conclude
from medunet.deploy.settings import SETTINGS, list_variables, name_variable
from medunet.extras import load_extra
from medunet.inference import Prediction

FOLDERS = {"input": "input", "output": "output", "model": "models"}
"""Options of MONAI Deploy for folders, and those that it takes without them."""
SDK = {"log-level": "level of the SDK's log", "workdir": "its working folder", "triton-server-netloc": "HOST:PORT"}
"""Further options of MONAI Deploy, which are handed on."""
END = """Exit codes: 0 segmented or nothing found, 2 refused, 3 no series matched, 1 a fault of the program; result.json
beside the results says more."""


def run_application(arguments: Sequence[str] | None = None) -> int:
    """Run with the options of MONAI Deploy (-i, -o, -m) and our settings, or the variables of a container.

    Args:
        arguments: those of the process if not given.

    Returns:
        Exit code, as of `EXIT_CODES`; a last line and `result.json` say what came of the scan.
    """
    work, further = take_work(arguments, os.environ)

    def run(analysis: Analysis) -> Prediction:
        load_extra("monai.deploy.core", "MONAI Deploy")
        from medunet.deploy.application import run_operators

        return run_operators(analysis, further)

    return conclude(work, run)


def take_work(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> tuple[Work, list[str]]:
    """What the application is to do.

    Args:
        arguments: those of the process if None.
        environment: its variables, which count where an option isn't given.

    Returns:
        The work, and arguments that are the SDK's own.
    """
    parser = argparse.ArgumentParser(
        prog="medunet-deploy", description="Segments the DICOM series of a folder.", epilog=END, allow_abbrev=False
    )
    for name, usual in FOLDERS.items():
        variable = f"HOLOSCAN_{name.upper()}_PATH"
        told = f"else {variable}, else {usual}"
        parser.add_argument(f"-{name[0]}", f"--{name}", default=environment.get(variable, usual), help=told)
    for name, setting in SETTINGS.items():
        told = f"{setting.help} (or {name_variable(name)}, several with {setting.sign} between)"
        parser.add_argument(setting.option, dest=name, action="append", metavar=setting.form, help=told)
    for name, told in SDK.items():
        parser.add_argument(f"-{name[0]}", f"--{name}", dest=name, help=f"of the SDK: {told}")
    taken = parser.parse_args(arguments)
    further = [f"--{name}={text}" for name in SDK if (text := getattr(taken, name)) is not None]
    given = {**list_variables(environment), **{name: text for name in SETTINGS if (text := getattr(taken, name))}}
    return Work(Path(taken.input), Path(taken.output), Path(taken.model), given, "options"), further
