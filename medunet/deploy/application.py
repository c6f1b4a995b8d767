"""The application: find the scan of a folder, predict it, write DICOM SEG. Needs MONAI Deploy's App SDK.

The SDK's own loader isn't used: it swaps row and column spacing, cuts PET whose first slice is empty to integers
and takes series with missing slices. What runs here is the path of `medunet predict`, one operator a step.
"""

import sys
from typing import Any

from holoscan.logger import LogLevel, set_log_level
from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Operator

from medunet.deploy.outcome import Analysis
from medunet.deploy.quiet import silence_libraries
from medunet.inference import Prediction


class FindOperator(Operator):
    """Matches the series of a folder to the bundle's channels."""

    def __init__(self, *args: Any, analysis: Analysis, **kwargs: Any) -> None:
        self._analysis = analysis
        super().__init__(*args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare the port `scan`."""
        spec.output("scan")

    def compute(self, _inputs: Any, outputs: Any, _context: Any) -> None:
        """Emit the scan."""
        outputs.emit(self._analysis.find(), "scan")


class SegmentOperator(Operator):
    """Predicts a scan within the memory that is there, and writes its results."""

    def __init__(self, *args: Any, analysis: Analysis, made: list[Prediction], **kwargs: Any) -> None:
        self._analysis, self._made = analysis, made
        super().__init__(*args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare the port `scan`."""
        spec.input("scan")

    def compute(self, inputs: Any, _outputs: Any, _context: Any) -> None:
        """Write all results, or none."""
        self._made.append(self._analysis.predict(inputs.receive("scan")))


class SegmentationApplication(Application):
    """A bundle as a MONAI Deploy application: a folder of DICOM in, results in DICOM out."""

    def __init__(self, *args: Any, analysis: Analysis, made: list[Prediction], **kwargs: Any) -> None:
        self._analysis, self._made = analysis, made
        super().__init__(*args, **kwargs)

    def compose(self) -> None:
        """Chain the operators.

        Holoscan's own lines are silenced: what fails in an operator is raised as it is, and said once.
        """
        set_log_level(LogLevel.OFF)
        Application.init_app_context(self.argv)
        silence_libraries()  # once more: the SDK configures logging
        find = FindOperator(self, CountCondition(self, 1), analysis=self._analysis, name="find")
        segment = SegmentOperator(self, analysis=self._analysis, made=self._made, name="segment")
        self.add_flow(find, segment, {("scan", "scan")})


def run_operators(analysis: Analysis, further: list[str]) -> Prediction:
    """Segment a scan by the SDK's engine.

    Args:
        analysis: what there is to do.
        further: arguments of the SDK's own.

    Raises:
        MedunetError: the scan is refused.
    """
    work = analysis.work
    folders = {"-i": work.source, "-o": work.target, "-m": analysis.bundle.folder}
    named = [text for option, folder in folders.items() for text in (option, str(folder))]
    made: list[Prediction] = []
    SegmentationApplication([sys.executable, sys.argv[0], *named, *further], analysis=analysis, made=made).run()
    return made[0]
