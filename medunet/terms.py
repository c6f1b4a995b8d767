"""Coded terms for labels: those that they bring, those that their names stand for, or the generic one.

The terms are of SNOMED CT as DICOM lists them: categories in PS3.16 CID 7150, types in CID 7151 and 7159.
"""

import re

from medunet.labels import CodedTerm, Label, LabelTable


def _sct(value: str, meaning: str) -> CodedTerm:
    return CodedTerm(scheme="SCT", value=value, meaning=meaning)


ABNORMAL = _sct("49755003", "Morphologically Abnormal Structure")
ANATOMICAL = _sct("91723000", "Anatomical Structure")
GENERIC = _sct("85756007", "Tissue")
"""Category and type of a label of which nothing is known: voxels of a patient are at least tissue."""

_ABNORMAL_TYPES = {
    "tumor tumour neoplasm cancer carcinoma sarcoma gtv gtvp gtvn": _sct("108369006", "Neoplasm"),
    "metastasis metastases": _sct("14799000", "Neoplasm, Secondary"),
    "necrosis": _sct("6574001", "Necrosis"),
    "edema oedema": _sct("79654002", "Edema"),
    "cyst": _sct("367643001", "Cyst"),
    "mass": _sct("4147007", "Mass"),
    "lesion": _sct("52988006", "Lesion"),
}
_ANATOMICAL_TYPES = {
    "aorta": _sct("15825003", "Aorta"),
    "bladder": _sct("89837001", "Bladder"),
    "brain": _sct("12738006", "Brain"),
    "colon": _sct("71854001", "Colon"),
    "esophagus oesophagus": _sct("32849002", "Esophagus"),
    "gallbladder": _sct("28231008", "Gallbladder"),
    "heart": _sct("80891009", "Heart"),
    "hippocampus hippocampal": _sct("5366008", "Hippocampus"),
    "kidney": _sct("64033007", "Kidney"),
    "liver": _sct("10200004", "Liver"),
    "lung": _sct("39607008", "Lung"),
    "pancreas": _sct("15776009", "Pancreas"),
    "prostate": _sct("41216001", "Prostate"),
    "spleen": _sct("78961009", "Spleen"),
    "stomach": _sct("69695003", "Stomach"),
    "thyroid": _sct("69748006", "Thyroid"),
}
_TERMS = [
    (words.split(), category, kind)
    for category, types in ((ABNORMAL, _ABNORMAL_TYPES), (ANATOMICAL, _ANATOMICAL_TYPES))
    for words, kind in types.items()
]
"""Words to category and type. What is abnormal comes first: a liver tumor is a neoplasm, not a liver."""


def _look_up(name: str) -> tuple[CodedTerm, CodedTerm] | None:
    words = re.findall(r"[a-z]+", name.lower())
    words += [word.removesuffix("s") for word in words]
    return next(((category, kind) for known, category, kind in _TERMS if set(known) & set(words)), None)


def code_labels(table: LabelTable) -> LabelTable:
    """Give each label without a coded term the one that its name stands for; names that say nothing stay without."""
    coded = []
    for label in table.labels:
        found = _look_up(label.name) if label.code is None else None
        update = {"category": label.category or found[0], "code": found[1]} if found else {}
        coded.append(label.model_copy(update=update))
    return table.model_copy(update={"labels": tuple(coded)})


def find_terms(label: Label) -> tuple[CodedTerm, CodedTerm]:
    """Category and type of a label, as DICOM wants them for a segment: `GENERIC` where neither it nor its name says.

    A type that came without a category takes the category of that type where it is known.
    """
    found = _look_up(label.name)
    if label.code is None:
        category, kind = found or (GENERIC, GENERIC)
        return label.category or category, kind
    known = next((category for _, category, kind in _TERMS if kind.value == label.code.value), GENERIC)
    return label.category or known, label.code
