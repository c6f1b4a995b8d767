"""What comes of a scan, in a word that predictions, refusals and `result.json` share."""

from typing import Literal

from medunet.errors import MedunetError, UnmatchedError
from medunet.labels import Mask

Analysed = Literal["segmented", "nothing found"]
"""Of a scan that was predicted."""
Refused = Literal["nothing matched", "refused"]
"""Of one that wasn't."""
Status = Literal[Analysed, Refused]


def find_status(mask: Mask) -> Analysed:
    """What a prediction came to."""
    counts = mask.count_values()
    ignored = mask.table.ignore
    found = counts[1:].sum() - (counts[ignored] if ignored and ignored < len(counts) else 0)
    return "segmented" if found else "nothing found"


def find_refusal(error: MedunetError) -> Refused:
    """What an error came to: whether a scan was found at all."""
    return "nothing matched" if isinstance(error, UnmatchedError) else "refused"
