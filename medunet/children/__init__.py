"""Child processes: what starts and watches them, and the programs that they run."""

__all__: list[str] = []
