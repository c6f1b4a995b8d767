"""Minutes into steps, once, before the first step; a resumed run repeats exactly these."""

import math

from medunet.records import Record

SPARE = 0.06
"""Share of the time kept for checkpoints, start and end."""
VALIDATION_SHARE = 0.1
"""Largest share of the time that goes into validation."""
EPOCHS = 40
"""Epochs of a run at most: as often it may be resumed and validated."""


class Schedule(Record):
    """What a run does, and the measured speeds that it follows from."""

    epochs: int
    """Epochs of the run."""
    steps_per_epoch: int
    """Training steps of an epoch."""
    validation_interval: int
    """Epochs from one validation to the next; the last epoch is always validated."""
    budget_seconds: float
    """Training time that it was made for."""
    seconds_per_step: float
    """The network alone."""
    loader_patches_per_second: float
    """The loader's processes, alone."""
    network_patches_per_second: float
    """What the network consumes."""
    patience: int = 0
    """Validations without a better Dice after which the run ends; 0 is never."""


def make_schedule(
    budget_seconds: float,
    spent_seconds: float,
    seconds_per_step: float,
    seconds_per_validation: float,
    rates: tuple[float, float],
) -> Schedule:
    """Fit epochs and validations into what is left of a budget.

    Args:
        budget_seconds: for the whole run.
        spent_seconds: gone before the first step (reading, preparing, probing).
        seconds_per_step: measured, the slower of network and loader.
        seconds_per_validation: measured for one pass over the held-out cases.
        rates: patches a second of the loader and of the network.

    Returns:
        A schedule of at least one epoch, validated at its end.
    """
    left = max(budget_seconds * (1 - SPARE) - spent_seconds, 0.0)
    validations = max(1, min(8, math.floor(left * VALIDATION_SHARE / max(seconds_per_validation, 1e-3))))
    steps = max(1, math.floor((left - validations * seconds_per_validation) / seconds_per_step))
    epochs = max(1, min(EPOCHS, steps // 4))
    interval = math.ceil(epochs / validations)
    epochs = interval * max(1, epochs // interval)
    return Schedule(
        epochs=epochs,
        steps_per_epoch=max(1, steps // epochs),
        validation_interval=interval,
        budget_seconds=budget_seconds,
        seconds_per_step=round(seconds_per_step, 4),
        loader_patches_per_second=round(rates[0], 2),
        network_patches_per_second=round(rates[1], 2),
    )
