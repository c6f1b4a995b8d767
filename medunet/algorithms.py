"""What made a mask, as DICOM wants it said: people, a program that people guided, or a program alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import NAMESPACE_OID, uuid5

from medunet.labels import CodedTerm

Kind = Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL", ""]
"""Segment Algorithm Type (DICOM PS3.3 C.8.20.4) and ROI Generation Algorithm (C.8.8.5); "" where nobody knows."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What made a mask.

    Attributes:
        name: of the bundle or the program, "" where it isn't known or there was none.
        version: of it.
        weights_sha256: of the weights of a bundle, "" of anything else.
        kind: how far it worked by itself.
        family: of algorithms, DICOM PS3.16 CID 7162; None where it isn't known.
        labels: by the name of a label what made that one, where that is told label by label.
    """

    name: str
    version: str
    weights_sha256: str
    kind: Kind = "AUTOMATIC"
    family: CodedTerm | None = None
    labels: Mapping[str, "Algorithm"] = field(default_factory=dict)

    @property
    def device_uid(self) -> str:
        """UID of what computed, by its weights: another one for each training; "" where there are none."""
        return f"2.25.{uuid5(NAMESPACE_OID, self.weights_sha256).int}" if self.weights_sha256 else ""

    def find(self, label: str) -> "Algorithm":
        """What made the label of a name."""
        return self.labels.get(label, self)

    def describe(self, names: Sequence[str]) -> tuple[str, str]:
        """Descriptions of a series and of its content, by the names of the labels."""
        listed = ", ".join(names)
        if not self.name:
            return listed, listed
        return f"{self.name}: {listed}", f"{listed} by {self.name} {self.version}".rstrip()


UNKNOWN = Algorithm("", "", "", kind="")
"""Of a mask of which nothing is told."""
UNNAMED = "unknown"
"""For the name of an algorithm, which a SEG must have."""
