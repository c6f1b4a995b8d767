"""medunet: from a folder of scans to a MONAI bundle that segments them."""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medunet.api import (
        Compared,
        Evaluation,
        audit_bundle,
        check,
        check_bundle,
        compare,
        convert,
        distill,
        evaluate,
        evaluate_masks,
        export_bundle,
        export_cohort,
        init,
        list_bundles,
        plan,
        predict,
        predict_each,
        read_volume,
        train,
        train_folds,
        write_card,
        write_selftest,
    )
    from medunet.cohort import Case, Cohort, LabelChoices
    from medunet.cross_validation import TrainedFolds
    from medunet.errors import (
        BundleError,
        ExtraError,
        GeometryError,
        InputError,
        LabelError,
        MedunetError,
        MissingInputError,
        OutputExistsError,
        RecordError,
        ResourceError,
        ScansError,
        SeriesError,
        UnmatchedError,
    )
    from medunet.evaluation import Scores
    from medunet.findings import Finding
    from medunet.geometry import Grid
    from medunet.inference import Prediction, Refusal
    from medunet.labels import Label, LabelTable, Mask
    from medunet.measures import Measures
    from medunet.planning import Memory, Plan
    from medunet.reading import ReadOptions, Source, Volume

    __version__: str

# Before torch is loaded: idle OpenMP threads sleep soon. Where two processes share the cores, spinning ones take
# them from the working thread (a step of 0.2 s took 6 s, now 0.7 s); alone on the machine it costs nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__ = [
    "BundleError",
    "Case",
    "Cohort",
    "Compared",
    "Evaluation",
    "ExtraError",
    "Finding",
    "GeometryError",
    "Grid",
    "InputError",
    "Label",
    "LabelChoices",
    "LabelError",
    "LabelTable",
    "Mask",
    "Measures",
    "MedunetError",
    "Memory",
    "MissingInputError",
    "OutputExistsError",
    "Plan",
    "Prediction",
    "ReadOptions",
    "RecordError",
    "Refusal",
    "ResourceError",
    "ScansError",
    "Scores",
    "SeriesError",
    "Source",
    "TrainedFolds",
    "UnmatchedError",
    "Volume",
    "__version__",
    "audit_bundle",
    "check",
    "check_bundle",
    "compare",
    "convert",
    "distill",
    "evaluate",
    "evaluate_masks",
    "export_bundle",
    "export_cohort",
    "init",
    "list_bundles",
    "plan",
    "predict",
    "predict_each",
    "read_volume",
    "train",
    "train_folds",
    "write_card",
    "write_selftest",
]
_PLACES = {
    "medunet.api": "Compared Evaluation audit_bundle check check_bundle compare convert distill evaluate "
    "evaluate_masks export_bundle export_cohort init list_bundles plan predict predict_each read_volume train "
    "train_folds write_card write_selftest",
    "medunet.cohort": "Case Cohort LabelChoices",
    "medunet.cross_validation": "TrainedFolds",
    "medunet.errors": "BundleError ExtraError GeometryError InputError LabelError MedunetError MissingInputError "
    "OutputExistsError RecordError ResourceError ScansError SeriesError UnmatchedError",
    "medunet.evaluation": "Scores",
    "medunet.findings": "Finding",
    "medunet.geometry": "Grid",
    "medunet.inference": "Prediction Refusal",
    "medunet.labels": "Label LabelTable Mask",
    "medunet.measures": "Measures",
    "medunet.planning": "Memory Plan",
    "medunet.reading": "ReadOptions Source Volume",
}
"""Modules and the public names that come from them when first used: importing medunet loads neither torch nor
pydantic."""


# Hidden from type checkers, which else take whatever is misspelled for it.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load a public name on first use."""
        if name == "__version__":
            from importlib.metadata import version

            return version("medunet")
        for place, names in _PLACES.items():
            if name in names.split():
                return getattr(importlib.import_module(place), name)
        raise AttributeError(f"module 'medunet' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Names of the public verbs, types and errors, and what every module has."""
    return sorted({*globals(), *__all__})
