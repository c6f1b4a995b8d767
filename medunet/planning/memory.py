"""Memory that a plan may take."""

from pydantic import Field

from medunet.records import Record


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

    def limit_network(self) -> float:
        """GiB that training of the network may take."""
        limits = [self.vram_gib] if self.gpu else [self.ram_gib, self.vram_gib]
        return min((limit for limit in limits if limit is not None), default=8.0)

    def describe(self) -> str:
        """In words: `8 GiB`, or `8 GiB and 6 GiB of a GPU`."""
        words = [f"{self.ram_gib:.3g} GiB" if self.ram_gib is not None else ""]
        words += [f"{self.vram_gib:.3g} GiB of a GPU" if self.vram_gib is not None else ""]
        return " and ".join(filter(None, words)) or "the memory"
