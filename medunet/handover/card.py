"""Whether the card of a bundle tells what it must, and whether its numbers are true."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from medunet.findings import Finding, make_finding

COUNT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*(million|thousand|[MKk])?\s+(?:trainable\s+)?(?:weights|param(?:eter)?s)\b")
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*MB\b")
SCALES = {"": 1.0, "million": 1e6, "M": 1e6, "thousand": 1e3, "K": 1e3, "k": 1e3}
TOLERANCE = 0.06
"""Share by which a rounded number may differ."""
NEAR = 80
"""Letters around the number of weights within which a size in MB is that of the file."""
TOPICS = {
    "its licence": r"licen[cs]e|apache|cc[ -]by|cc0",
    "what it was trained on": r"\bdata\b|dataset|cohort|patients|trained on",
    "how good it is": r"\bdice\b|\bscores?\b|performance|precision",
    "where it fails": r"limit|fail|never seen|not (?:for|been)|caveat",
    "what it is for": r"research|intended|not a medical device|clinical",
}
"""What a card must tell, and words of which one does."""
SHORTEST = 200
"""Letters below which a card tells nothing."""


def check_card(folder: Path, counts: Sequence[int], files: Sequence[Path]) -> Iterator[Finding]:
    """Findings of `docs/README.md`.

    Args:
        folder: the bundle.
        counts: parameters of each network that was built, each counted once; empty where none could be.
        files: of weights.
    """
    path = folder / "docs" / "README.md"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if len(text) < SHORTEST:
        found = "there is no card" if not text else f"the card has {len(text)} letters"
        yield make_finding("bundle-card", path, found, "write what it finds, how it was made, and where it fails")
        return
    for topic, words in TOPICS.items():
        if not re.search(words, text, re.IGNORECASE):
            yield make_finding("bundle-card", path, f"it doesn't say {topic}", "add it", "warning")
    yield from _check_numbers(text, path, counts, files)


def _check_numbers(text: str, path: Path, counts: Sequence[int], files: Sequence[Path]) -> Iterator[Finding]:
    if not counts:
        return
    sizes = [file.stat().st_size / 1e6 for file in files if file.is_file()]
    for found in COUNT.finditer(text):
        said = float(found[1].replace(",", "")) * SCALES[found[2] or ""]
        if said >= 1000 and not _is_one_of(said, [*counts, sum(counts)]):
            words = f"it says {found[0]!r}, and the network has {counts[0]:,} parameters"
            yield make_finding("bundle-card", path, words, "correct the number")
        around = text[max(0, found.start() - NEAR) : found.end() + NEAR]
        for size in SIZE.finditer(around):
            if sizes and not _is_one_of(float(size[1]), [*sizes, sum(sizes)]):
                words = f"it says {size[0]!r}, and a file of weights has {sizes[0]:.1f} MB"
                yield make_finding("bundle-card", path, words, "correct the number")


def _is_one_of(said: float, true: Sequence[float]) -> bool:
    return any(abs(said - value) <= TOLERANCE * value for value in true)
