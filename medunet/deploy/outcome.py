"""One scan by one bundle, and what came of it as a record: the status is that of the analysis, not of the process."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medunet.bundle import find_rules
from medunet.deploy.models import load_bundle
from medunet.errors import MedunetError
from medunet.inference import Prediction, Wanted, find_scan, predict_found
from medunet.records import Record, write_json
from medunet.writing import choose_formats

RESULT = "result.json"
"""Name of the record among the results."""
UNMATCHED = ("series-unmatched", "channel-missing", "channel-ambiguous", "patients-mixed")
"""Codes of scans in which no series is clearly a channel of the bundle."""
EXIT_CODES = {"segmented": 0, "nothing found": 0, "refused": 2, "nothing matched": 3}
"""Of a process that ends with a status."""


Status = Literal["segmented", "nothing found", "nothing matched", "refused"]


class Outcome(Record):
    """result.json: what came of a scan."""

    status: Status
    """Of the analysis."""
    code: str | None = None
    """Of what it was refused for, or why nothing matched."""
    message: str
    """In a sentence."""
    bundle: str = ""
    bundle_version: str = ""
    medunet_version: str = Field(default_factory=lambda: metadata.version("medunet"))
    files: dict[str, str] = Field(default_factory=dict)
    """Names of the files that were written, by format."""
    volumes: dict[str, float] = Field(default_factory=dict)
    """Of each label or region, in mL."""
    warnings: tuple[str, ...] = ()
    """What makes the result doubtful."""
    mercure_notification: dict[str, Any] | None = Field(default=None, serialization_alias="__mercure_notification")
    """For mercure: what it tells its users."""

    @property
    def exit_code(self) -> int:
        """Of a process that ends with this."""
        return EXIT_CODES[self.status]


def segment(
    source: Path, target: Path, models: Path, formats: Sequence[str], series_rules: Sequence[str] = ()
) -> Outcome:
    """Segment the scan of a folder into files of some formats: all of them, or none.

    Args:
        source: folder of DICOM.
        target: folder of the results, made if it isn't there.
        models: the bundle, or a folder whose only subfolder is one.
        formats: names of `medunet predict --format`.
        series_rules: as of `medunet predict --series-rule`, in place of those of the bundle.

    Raises:
        BundleError: there is no bundle, or its weights don't fit.
    """
    bundle, maker = load_bundle(models)
    recipe = maker.recipe
    about: dict[str, Any] = {"bundle": recipe.name, "bundle_version": recipe.version or ""}
    try:
        wanted = Wanted(choose_formats(tuple(formats), recipe.task.unit), target)
        scan = find_scan(source, recipe.task, rules=find_rules(bundle.folder, recipe.task, series_rules))
        made = predict_found(str(source), scan, wanted, maker)
    except MedunetError as error:
        status: Status = "nothing matched" if error.code in UNMATCHED else "refused"
        return Outcome(status=status, code=error.code, message=str(error), **about)
    return Outcome(
        status=made.status,
        message=_describe(made),
        files={name: path.name for name, path in made.files.items()},
        volumes=made.volumes,
        warnings=made.warnings,
        **about,
    )


def _describe(made: Prediction) -> str:
    if made.status == "nothing found":
        return "nothing found"
    unit = "mL" if made.unit == "mm" else "pixels"
    return ", ".join(f"{name} {volume:.1f} {unit}" for name, volume in made.volumes.items() if volume)


def write_outcome(outcome: Outcome, target: Path) -> None:
    """Write `result.json` into the folder of the results, in place of that of an earlier run."""
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / RESULT, outcome.model_dump(mode="json", by_alias=True, exclude_none=True))
