"""Which line of a model card answers which items of three checklists, in our own words.

CLAIM 2024 (Tejani et al., Radiology: Artificial Intelligence 2024, doi 10.1148/ryai.240300) has 44 items, STARD-AI
(Sounderajah et al., Nature Medicine 2025, doi 10.1038/s41591-025-03953-8) 40; FDA's example of a model card is appendix
E of its draft guidance of 2025-01-07 on AI-enabled device software functions. Items of a paper's form (title, abstract)
and those of a trial with patients (flow, time between tests, adverse events) have no line.
"""

from typing import NamedTuple


class Line(NamedTuple):
    """A line of the card."""

    said: str
    """What it tells."""
    place: str
    """Section of the card, or key of `docs/card.json` where only a person can say it."""
    claim: str
    """Items of CLAIM 2024."""
    stard: str
    """Items of STARD-AI."""
    fda: str
    """Heading of FDA's example."""


NONE = "–"
DEVICE, DESCRIPTION = "device information", "description"
PERFORMANCE, RISK, DEVELOPMENT = "performance and limitations", "risk management", "development"
LINES = (
    Line("network, version, weights", "Device", "1, 22, 23", "1, 13, 15a", DEVICE),
    Line("authorization", "regulatory", NONE, NONE, "regulatory status"),
    Line("intended use", "Intended use", "3, 41", "3, 34", DESCRIPTION),
    Line("users", "users", "41", "15d", DESCRIPTION),
    Line("indications", "indications", "3", "3, 28", DESCRIPTION),
    Line("place in the work of a clinic", "workflow", "41", "3, 34", DESCRIPTION),
    Line("inputs and outputs", "Device", "9, 22", "14, 15a", DESCRIPTION),
    Line("aims and design", "design", "4, 5, 6", "4, 5", NONE),
    Line("sources of data", "sources", "7", "8, 9, 10, 11", DEVELOPMENT),
    Line("who was included", "eligibility", "8, 10, 35", "7", DEVELOPMENT),
    Line("patients", "demographics", "36", "25, 26a, 26b, 28", DEVELOPMENT),
    Line("acquisition", "acquisition", "13", "13, 14", DESCRIPTION),
    Line("images and volumes, measured", "Data", "35, 36", "25", DEVELOPMENT),
    Line("identities removed", "deidentification", "11", NONE, NONE),
    Line("ethics", "ethics", NONE, "6, 35", NONE),
    Line("missing data", "missing_data", "12", "20", NONE),
    Line("reference standard", "reference", "14, 15", "16a, 16b", PERFORMANCE),
    Line("annotators", "annotators", "16, 17", "12", DEVELOPMENT),
    Line("variability of annotators", "variability", "18", NONE, PERFORMANCE),
    Line("masking", "masking", NONE, "17a, 17b", NONE),
    Line("preprocessing and plan", "How it was planned", "9, 22", "14, 15a", DEVELOPMENT),
    Line("partitions, by patient", "Protocol", "19, 20", "15b", DEVELOPMENT),
    Line("sample size", "sample_size", "21", "22", NONE),
    Line("training, choice of weights, ensemble", "Protocol", "24, 25, 26, 27", "15b", DEVELOPMENT),
    Line("measures, with intervals", "Results", "28, 29, 37, 38", "18, 31", PERFORMANCE),
    Line("held-out patients", "Results", "32", "15b, 31", PERFORMANCE),
    Line("patients of elsewhere", "external", "33", "29", PERFORMANCE),
    Line("robustness", "Robustness", "30", "21", PERFORMANCE),
    Line("probabilities and confidence", "Probabilities", "29, 31", "18", PERFORMANCE),
    Line("failures", "Failures", "39", "23", PERFORMANCE),
    Line("groups of patients", "fairness", "36", "23, 35", PERFORMANCE),
    Line("limits", "Limits", "40", "33", PERFORMANCE),
    Line("risks", "risks", "41", "32, 35", RISK),
    Line("care for it", "maintenance", NONE, NONE, RISK),
    Line("registration", "registration", "34", "36", PERFORMANCE),
    Line("protocol of the study", "protocol", "42", "37", PERFORMANCE),
    Line("availability", "Device", "43", "40a, 40b", DEVICE),
    Line("funding and interests", "funding", "44", "38, 39", NONE),
)
