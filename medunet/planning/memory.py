"""Memory that a plan may take, and what a stage took beside what was foreseen."""

import logging

from pydantic import Field

from medunet.records import Record

LOGGER = logging.getLogger(__name__)


def describe_gib(gib: float) -> str:
    """An amount of memory in words: `1.25 GiB`, or `140 MiB` below one."""
    return f"{gib:.3g} GiB" if gib >= 1 else f"{1024 * gib:.0f} MiB"


class Memory(Record):
    """What a plan may take, in GiB; None where nothing is said."""

    ram_gib: float | None = Field(default=None, gt=0.0)
    """GiB of the RAM."""
    vram_gib: float | None = Field(default=None, gt=0.0)
    """GiB of the GPU; without one here, of that on which the plan shall fit elsewhere."""
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
        """Say it in words: `8 GiB`, or `8 GiB and 6 GiB of a GPU`."""
        words = [describe_gib(self.ram_gib) if self.ram_gib is not None else ""]
        words += [f"{describe_gib(self.vram_gib)} of a GPU" if self.vram_gib is not None else ""]
        return " and ".join(filter(None, words)) or "the memory"
