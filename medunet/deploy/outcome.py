"""One scan in a deployed program: its folder to files of results, and what came of it as a record and an exit code."""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import Field

from medunet.bundle import Bundle, ForeignBundle, find_rules
from medunet.deploy.models import load_bundle
from medunet.deploy.quiet import silence_libraries
from medunet.deploy.settings import USUAL_FORMATS, Given, Way, read_task, reword, split_settings
from medunet.errors import MedunetError
from medunet.files import check_input
from medunet.findings import Finding, handing_to
from medunet.inference import Maker, Prediction, Scan, Status, Wanted, find_refusal, find_scan, predict_found
from medunet.progress import speaking
from medunet.reading import parse_options
from medunet.records import Record, write_json
from medunet.writing import choose_formats

LOGGER = logging.getLogger(__name__)
RESULT = "result.json"
"""Name of the record among the results."""
EXIT_CODES: dict[Status, int] = {"segmented": 0, "nothing found": 0, "refused": 2, "nothing matched": 3}
"""Of a process that ends with a status."""


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do.

    Attributes:
        source: folder of the scan.
        target: folder of the results.
        models: the bundle, or a folder whose only subfolder is one.
        given: settings by options or variables.
        way: how the program is told them; by a rule of mercure, its task lies in `source`.
    """

    source: Path
    target: Path
    models: Path
    given: Given
    way: Way

    def list_settings(self) -> dict[str, tuple[str, ...]]:
        """The values of each setting; what a rule of mercure sets counts before variables.

        Raises:
            InputError: the task of mercure can't be read, or sets what there isn't.
        """
        own = read_task(self.source / "task.json") if self.way == "rule" else {}
        return split_settings({**self.given, **own})


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


@dataclass(frozen=True, slots=True)
class Analysis:
    """A scan that is to be segmented by a bundle that was opened.

    Attributes:
        work: what there is to do.
        settings: by name.
        bundle: that was opened.
        maker: what predicts by it.
    """

    work: Work
    settings: Mapping[str, tuple[str, ...]]
    bundle: Bundle | ForeignBundle
    maker: Maker

    def find(self) -> Scan:
        """Match the series of the folder to the bundle's channels.

        Raises:
            InputError: a setting can't be.
            UnmatchedError: no series, or more than one, is clearly a channel.
        """
        task, said = self.maker.recipe.task, self.settings
        rules = find_rules(self.bundle.folder, task, said.get("series_rules", ()))
        options = {name: said.get(name, ()) for name in ("series", "phase", "assume_rescale", "pet")}
        return find_scan(self.work.source, task, parse_options(options), rules)

    def predict(self, scan: Scan) -> Prediction:
        """Write the results of a scan: all of them, or none.

        Raises:
            MedunetError: it can't be read, or its results not be written.
        """
        unit = self.maker.recipe.task.unit
        formats = choose_formats(self.settings.get("formats", USUAL_FORMATS), unit)
        return predict_found(str(self.work.source), scan, Wanted(formats, self.work.target), self.maker)


def segment(analysis: Analysis) -> Prediction:
    """Segment a scan."""
    return analysis.predict(analysis.find())


def conclude(work: Work, run: Callable[[Analysis], Prediction]) -> int:
    """Do a work, say what came of it in `result.json` and in a last line, and give the exit code.

    Args:
        work: what there is to do.
        run: segments the scan.
    """
    silence_libraries()
    started = time.monotonic()
    (work.target / RESULT).unlink(missing_ok=True)  # of an earlier run: a fault of the program would leave it
    outcome = _attempt(work, run)
    if work.way == "rule":
        told = {"text": outcome.message, "requested": outcome.status != "nothing found"}
        outcome = outcome.model_copy(update={"mercure_notification": told})
    write_outcome(outcome, work.target)
    said = f"medunet: {outcome.status} in {time.monotonic() - started:.1f} s: {outcome.message}"
    print(said, file=sys.stdout if outcome.exit_code == 0 else sys.stderr)
    return outcome.exit_code


def _attempt(work: Work, run: Callable[[Analysis], Prediction]) -> Outcome:
    about: dict[str, Any] = {}
    try:
        with speaking(), handing_to(partial(_log, way=work.way)):
            settings = work.list_settings()
            check_input(work.source)
            bundle, maker = load_bundle(work.models)
            about = {"bundle": maker.recipe.name, "bundle_version": maker.recipe.version or ""}
            made = run(Analysis(work, settings, bundle, maker))
    except MedunetError as error:
        return Outcome(status=find_refusal(error), code=error.code, message=reword(str(error), work.way), **about)
    return Outcome(
        status=made.status,
        message=_describe(made),
        files={name: path.name for name, path in made.files.items()},
        volumes=made.volumes,
        warnings=made.warnings,
        **about,
    )


def _log(finding: Finding, way: Way) -> None:
    """Log what is odd about a scan, in words of the program."""
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    level = logging.INFO if finding.severity == "note" else logging.WARNING
    LOGGER.log(level, "%s", reword(f"{finding.subject}: {finding.found}{remedy}", way))


def _describe(made: Prediction) -> str:
    if made.status == "nothing found":
        return "nothing found"
    unit = "mL" if made.unit == "mm" else "pixels"
    return ", ".join(f"{name} {volume:.1f} {unit}" for name, volume in made.volumes.items() if volume)


def write_outcome(outcome: Outcome, target: Path) -> None:
    """Write `result.json` into the folder of the results, in place of that of an earlier run."""
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / RESULT, outcome.model_dump(mode="json", by_alias=True, exclude_none=True))
