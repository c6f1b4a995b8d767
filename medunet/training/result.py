"""What a run of one fold came to: its weights and their record, in the folder of the run."""

from pathlib import Path
from typing import Any, Literal

from medunet.files import hash_file
from medunet.records import Record, read_record

WEIGHTS, RECORD, FINISHED = "model.pt", "result.json", "finished"
Ending = Literal["schedule", "patience", "time", "signal"]
"""The schedule was done, or before that patience was at its end, the minutes were gone, or the user stopped it."""


class FoldResult(Record):
    """The record beside the weights of a run."""

    weights_sha256: str
    ended: Ending
    training: dict[str, Any]
    """As in metadata.json: fold, epochs, steps, minutes, validation_dice, cases, held_out_cases."""


def read_result(run: Path) -> FoldResult | None:
    """The record of a run that left weights, None where the run left none or the two don't belong together."""
    if not (run / RECORD).is_file() or not (run / WEIGHTS).is_file():
        return None
    result = read_record(run / RECORD, FoldResult)
    return result if hash_file(run / WEIGHTS) == result.weights_sha256 else None


def is_done(run: Path) -> bool:
    """Whether the schedule of a run was done, or its minutes were gone."""
    result = read_result(run)
    return result is not None and ((run / FINISHED).exists() or result.ended == "time")
