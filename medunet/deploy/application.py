"""The application: find the scan of a folder, predict it, write DICOM SEG. Needs MONAI Deploy's App SDK.

The SDK's own loader isn't used: it swaps row and column spacing, cuts PET whose first slice is empty to integers
and takes series with missing slices. What runs here is the path of `medunet predict`, one operator a step.
"""

from pathlib import Path
from typing import Any

from holoscan.logger import LogLevel, set_log_level
from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Operator

from medunet.bundle import find_rules
from medunet.deploy.models import load_bundle
from medunet.deploy.quiet import silence_libraries
from medunet.inference import Maker, Wanted, find_scan, finish_job, plan_job, predict_scan
from medunet.reading.rules import Rules
from medunet.writing import choose_formats


class FindOperator(Operator):
    """Matches the series of a folder to the bundle's channels, and checks that a SEG can be made."""

    def __init__(self, *args: Any, maker: Maker, rules: Rules, source: Path, target: Path, **kwargs: Any) -> None:
        self._maker, self._rules, self._source, self._target = maker, rules, source, target
        super().__init__(*args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare the port `job`."""
        spec.output("job")

    def compute(self, _inputs: Any, outputs: Any, _context: Any) -> None:
        """Emit the job: the scan, and what will be written of it."""
        task = self._maker.recipe.task
        wanted = Wanted(choose_formats(("seg",), task.unit), self._target)
        scan = find_scan(self._source, task, rules=self._rules)
        outputs.emit(plan_job(str(self._source), scan, wanted, self._maker), "job")


class PredictOperator(Operator):
    """Reads and predicts a scan, unless its files are there already."""

    def setup(self, spec: Any) -> None:
        """Declare the ports `job` and `mask`."""
        spec.input("job")
        spec.output("mask")

    def compute(self, inputs: Any, outputs: Any, _context: Any) -> None:
        """Emit the job, and the mask on the grid of the scan's first channel."""
        job = inputs.receive("job")
        outputs.emit((job, None if job.earlier else predict_scan(job.maker.load(), job.scan)), "mask")


class WriteOperator(Operator):
    """Writes a mask as DICOM SEG, with a run record."""

    def setup(self, spec: Any) -> None:
        """Declare the port `mask`."""
        spec.input("mask")

    def compute(self, inputs: Any, _outputs: Any, _context: Any) -> None:
        """Write both, or neither."""
        finish_job(*inputs.receive("mask"))


class SegmentationApplication(Application):
    """A bundle as a MONAI Deploy application: a folder of DICOM in, DICOM SEG out."""

    def compose(self) -> None:
        """Open the bundle and chain the three operators.

        Holoscan's own lines are silenced: what fails in an operator is raised as it is, and said once.

        Raises:
            BundleError: the model folder holds no bundle, or its weights don't fit.
        """
        set_log_level(LogLevel.OFF)
        context = Application.init_app_context(self.argv)
        silence_libraries()  # once more: the SDK configures logging
        bundle, maker = load_bundle(Path(context.model_path))
        folders = {"source": Path(context.input_path), "target": Path(context.output_path)}
        rules = find_rules(bundle.folder, maker.recipe.task)
        find = FindOperator(self, CountCondition(self, 1), maker=maker, rules=rules, name="find", **folders)
        predict = PredictOperator(self, name="predict")
        write = WriteOperator(self, name="write")
        self.add_flow(find, predict, {("job", "job")})
        self.add_flow(predict, write, {("mask", "mask")})
