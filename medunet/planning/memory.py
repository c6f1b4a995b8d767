"""Memory that a plan may take, and what a stage took beside what was foreseen."""

import logging

from pydantic import Field

from medunet.records import Record

LOGGER = logging.getLogger(__name__)
TOO_MUCH = 1.25
"""A stage that took so many times the prediction is worth a warning."""
LITTLE_GIB = 0.05
"""Less from before is not worth a word."""


class Memory(Record):
    """What a plan may take, in GiB; None where nothing is said."""

    ram_gib: float | None = Field(default=None, gt=0.0)
    vram_gib: float | None = Field(default=None, gt=0.0)
    """Of a GPU; without one here, of that on which the plan shall fit elsewhere."""
    gpu: bool = False
    """Training runs on a GPU, so that the network takes none of the RAM."""

    def fill(self, other: "Memory") -> "Memory":
        """What isn't said, and whether there is a GPU, taken from another."""
        said = {"ram_gib": self.ram_gib, "vram_gib": self.vram_gib}
        return other.model_copy(update={name: value for name, value in said.items() if value is not None})

    def holds(self, peaks: dict[str, float]) -> bool:
        """Whether training fits; what isn't said limits nothing.

        Args:
            peaks: as of `predict_peaks`.
        """
        ram = self.ram_gib is None or peaks["train"] <= self.ram_gib
        return ram and (self.vram_gib is None or peaks.get("train_vram", 0.0) <= self.vram_gib)

    def describe(self) -> str:
        """In words: `8 GiB`, or `8 GiB and 6 GiB of a GPU`."""
        words = [f"{self.ram_gib:.3g} GiB" if self.ram_gib is not None else ""]
        words += [f"{self.vram_gib:.3g} GiB of a GPU" if self.vram_gib is not None else ""]
        return " and ".join(filter(None, words)) or "the memory"


def compare_peak(stage: str, predicted_gib: float | None, measured_gib: float, held_gib: float = 0.0) -> None:
    """Log what a stage took beside what was predicted; far more is a warning.

    Args:
        stage: its name.
        predicted_gib: of a process that does nothing else.
        measured_gib: peak of this process.
        held_gib: of these from what this process did before, which was not predicted.
    """
    before = f", {held_gib:.2f} of them from before" if held_gib >= LITTLE_GIB else ""
    said = f"memory of stage {stage}: {measured_gib:.2f} GiB at most{before}"
    if predicted_gib is None:
        LOGGER.info("%s", said)
    else:
        level = logging.WARNING if measured_gib > TOO_MUCH * predicted_gib + held_gib else logging.INFO
        LOGGER.log(level, "%s, %.2f predicted", said, predicted_gib)
