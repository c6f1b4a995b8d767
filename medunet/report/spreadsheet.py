"""Scores as a CSV: a row for each case, label and method, for whoever goes on with them elsewhere."""

import csv
from pathlib import Path
from typing import Any

from medunet.evaluation.scores import CaseScore, Scores
from medunet.files import whole_file

PLAIN = (
    *("case", "label", "outcome", "dice", "iou", "nsd", "hd95_mm", "assd_mm", "sensitivity", "voxel_precision"),
    *("truth_ml", "predicted_ml", "volume_error", "found", "missed", "false_found", "lesion_f1", "false_ml"),
)
"""Columns, by the names of `CaseScore`."""
OBJECTS = ("precision", "precision_50", "panoptic", "matched_iou")
"""Columns that only labels that number objects have."""


def write_spreadsheet(path: Path, scores: Scores) -> None:
    """Write all scores, whole or not at all; an older file is replaced. A cell is empty where nothing was measured.

    Args:
        path: the CSV.
        scores: of all methods. What a table said of a case stands in further columns, the patient in `patient`.

    Raises:
        ResourceError: it can't be written.
    """
    pairing = scores.pairing
    further = list(dict.fromkeys(key for row in pairing.columns.values() for key in row)) if pairing else []
    columns = [*PLAIN, *(OBJECTS if scores.objects else ())]
    head = ["method", *(["patient"] if scores.patients else []), *columns, "tolerance", "predicted", *further]
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        for method, cases in scores.methods.items():
            for score in cases:
                patient = [scores.patients.get(score.case, "")] if scores.patients else []
                cells = [_write_cell(getattr(score, key)) for key in columns]
                said = pairing.columns.get(score.case, {}) if pairing else {}
                ends = [f"{scores.find_tolerance(score.label):g}", _was_predicted(score, scores)]
                writer.writerow([method, *patient, *cells, *ends, *(said.get(key, "") for key in further)])


def _was_predicted(score: CaseScore, scores: Scores) -> str:
    return "no" if scores.pairing and score.case in scores.pairing.missing else "yes"


def _write_cell(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
