"""The application: find the scan of a folder, predict it, write DICOM SEG. Needs MONAI Deploy's App SDK.

The SDK's own loader isn't used: it swaps row and column spacing, cuts PET whose first slice is empty to integers
and takes series with missing slices. What runs here is the path of `medunet predict`, one operator a step.
"""

import logging
import time
from pathlib import Path
from typing import Any

from holoscan.logger import LogLevel, set_log_level
from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Operator

from medunet.bundle import Bundle, Recipe, find_weights, make_recipe, open_bundle
from medunet.inference import Predictor, find_scan, load_predictor, plan_outputs, predict_scan, write_outputs


def find_bundle(folder: Path) -> Bundle:
    """Open the bundle in a model folder: the folder itself, or its only subfolder, as a container has it.

    Raises:
        BundleError: there is none.
    """
    inner = list(folder.glob("*/configs/plan.json"))
    alone = len(inner) == 1 and not (folder / "configs").exists()
    return open_bundle(inner[0].parents[1] if alone else folder)


class FindOperator(Operator):
    """Matches the series of a folder to the bundle's channels, and checks that a SEG can be made."""

    def __init__(self, *args: Any, recipe: Recipe, source: Path, target: Path, **kwargs: Any) -> None:
        self._recipe, self._source, self._target = recipe, source, target
        super().__init__(*args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare the port `scan`."""
        spec.output("scan")

    def compute(self, _inputs: Any, outputs: Any, _context: Any) -> None:
        """Emit the scan and what will be written of it."""
        scan = find_scan(self._source, self._recipe.task)
        outputs.emit((scan, plan_outputs(self._recipe, scan, self._target, ("seg",))), "scan")


class PredictOperator(Operator):
    """Reads and predicts a scan."""

    def __init__(self, *args: Any, predictor: Predictor, **kwargs: Any) -> None:
        self._predictor = predictor
        super().__init__(*args, **kwargs)

    def setup(self, spec: Any) -> None:
        """Declare the ports `scan` and `mask`."""
        spec.input("scan")
        spec.output("mask")

    def compute(self, inputs: Any, outputs: Any, _context: Any) -> None:
        """Emit the mask on the grid of the scan's first channel, and how to write it."""
        started = time.monotonic()
        scan, planned = inputs.receive("scan")
        outputs.emit((planned, predict_scan(self._predictor, scan), self._predictor, started), "mask")


class WriteOperator(Operator):
    """Writes a mask as DICOM SEG, with a run record."""

    def setup(self, spec: Any) -> None:
        """Declare the port `mask`."""
        spec.input("mask")

    def compute(self, inputs: Any, _outputs: Any, _context: Any) -> None:
        """Write both, or neither."""
        write_outputs(*inputs.receive("mask"))


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
        for noisy in ("highdicom", "monai"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        bundle = find_bundle(Path(context.model_path))
        recipe = make_recipe(bundle)
        predictor = load_predictor(recipe, find_weights(bundle.folder, bundle.metadata))
        folders = {"source": Path(context.input_path), "target": Path(context.output_path)}
        find = FindOperator(self, CountCondition(self, 1), recipe=recipe, name="find", **folders)
        predict = PredictOperator(self, predictor=predictor, name="predict")
        write = WriteOperator(self, name="write")
        self.add_flow(find, predict, {("scan", "scan")})
        self.add_flow(predict, write, {("mask", "mask")})
