"""Whether the card of a bundle tells what it must, and whether its numbers are true."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from medunet.bundle import Bundle, find_calibration
from medunet.bundle.temperature import find_temperature
from medunet.errors import MedunetError
from medunet.findings import Finding, describe_error, make_finding
from medunet.handover.model_card import CARD, find_written, render
from medunet.handover.statements import FILE, read_statements

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


def check_written(bundle: Bundle) -> Iterator[Finding]:
    """Findings of the part of a card that records make: whether it is theirs, and what only a person can say.

    Args:
        bundle: one of medunet.
    """
    yield from _check_temperature(bundle)
    path, statements = bundle.folder / CARD, bundle.folder / FILE
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    card, remedy = find_written(text), "write it with medunet bundle card BUNDLE"
    if card is None:
        found = "it isn't made from the bundle's records, so that no line answers to a checklist"
        yield make_finding("bundle-card", path, found, remedy, "note")
        return
    try:
        missing = list(read_statements(bundle.folder).list_missing())
        same = card == render(bundle)
    except MedunetError as error:
        yield describe_error(error)
        return
    if not same:
        yield make_finding("bundle-card", path, "the bundle's records say otherwise by now", remedy, "warning")
    if missing:
        keys = ", ".join(key for key, _ in missing)
        found = f"{len(missing)} things are missing that only a person can say: {keys}"
        yield make_finding("bundle-card", statements, found, f"say them there, then {remedy}", "note")


def _check_temperature(bundle: Bundle) -> Iterator[Finding]:
    """Whether what is told of probabilities is of the temperature that they are by."""
    own = find_temperature(bundle.inference["postprocessing"]["transforms"])
    record = find_calibration(bundle.folder, bundle.metadata)
    told = record.temperature if record else 1.0
    if own != told:
        found = f"it divides logits by {own:g}, and docs/calibration.json of these weights tells of {told:g}"
        path = bundle.folder / "configs" / "inference.json"
        yield make_finding("bundle-card", path, found, "fit it with medunet evaluate BUNDLE --calibrate", "warning")


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
