"""Coded terms for labels: those that they bring, those that their names stand for, or the generic one.

The terms are of SNOMED CT as DICOM lists them: categories in PS3.16 CID 7150, types in CID 7151 and 7159, sides in
CID 244.
"""

import re
from collections.abc import Sequence

from medunet.labels import CodedTerm, Label, LabelTable
from medunet.sides import WORDS, name_sides


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
    "adrenal": _sct("23451007", "Adrenal gland"),
    "aorta": _sct("15825003", "Aorta"),
    "bladder": _sct("89837001", "Bladder"),
    "brain": _sct("12738006", "Brain"),
    "brainstem brain_stem": _sct("119238007", "Brain Stem"),
    "breast": _sct("76752008", "Breast"),
    "carotid": _sct("69105007", "Carotid Artery"),
    "cerebellum": _sct("113305005", "Cerebellum"),
    "chiasm": _sct("244453006", "Optic chiasm"),
    "clavicle": _sct("51299004", "Clavicle"),
    "colon": _sct("71854001", "Colon"),
    "duodenum": _sct("38848004", "Duodenum"),
    "esophagus oesophagus": _sct("32849002", "Esophagus"),
    "eyeball": _sct("79652003", "Eyeball"),
    "eye": _sct("81745001", "Eye"),
    "femur": _sct("71341001", "Femur"),
    "gallbladder": _sct("28231008", "Gallbladder"),
    "heart": _sct("80891009", "Heart"),
    "hippocampus hippocampal": _sct("5366008", "Hippocampus"),
    "humerus": _sct("85050009", "Humerus"),
    "kidney": _sct("64033007", "Kidney"),
    "large_intestine": _sct("14742008", "Large intestine"),
    "larynx": _sct("4596009", "Larynx"),
    "lip": _sct("48477009", "Lip"),
    "liver": _sct("10200004", "Liver"),
    "lung": _sct("39607008", "Lung"),
    "mandible": _sct("91609006", "Mandible"),
    "mouth": _sct("123851003", "Mouth"),
    "ovary": _sct("15497006", "Ovary"),
    "pancreas": _sct("15776009", "Pancreas"),
    "parotid": _sct("45289007", "Parotid gland"),
    "pharynx": _sct("54066008", "Pharynx"),
    "prostate": _sct("41216001", "Prostate"),
    "pulmonary_artery": _sct("81040000", "Pulmonary artery"),
    "rectum": _sct("34402009", "Rectum"),
    "rib": _sct("113197003", "Rib"),
    "sacrum": _sct("54735007", "Sacrum"),
    "scapula": _sct("79601000", "Scapula"),
    "seminal_vesicle": _sct("64739004", "Seminal Vesicle"),
    "skin": _sct("39937001", "Skin"),
    "skull": _sct("89546000", "Skull"),
    "small_intestine small_bowel": _sct("30315005", "Small intestine"),
    "spinalcord spinal_cord": _sct("2748008", "Spinal cord"),
    "spleen": _sct("78961009", "Spleen"),
    "sternum": _sct("56873002", "Sternum"),
    "stomach": _sct("69695003", "Stomach"),
    "submandibular": _sct("54019009", "Submandibular gland"),
    "temporal_lobe": _sct("78277001", "Temporal lobe"),
    "testis testicle": _sct("40689003", "Testis"),
    "thalamus": _sct("42695009", "Thalamus"),
    "thyroid": _sct("69748006", "Thyroid"),
    "tongue": _sct("21974007", "Tongue"),
    "trachea": _sct("44567001", "Trachea"),
    "ureter": _sct("87953007", "Ureter"),
    "uterus": _sct("35039007", "Uterus"),
    "inferior_vena_cava": _sct("64131007", "Inferior vena cava"),
    "vertebra vertebrae": _sct("51282000", "Vertebra"),
}
_TERMS = [
    (frozenset(words.split("_")), category, kind)
    for category, types in ((ABNORMAL, _ABNORMAL_TYPES), (ANATOMICAL, _ANATOMICAL_TYPES))
    for phrases, kind in types.items()
    for words in phrases.split()
]
"""Words to category and type. What is abnormal comes first: a liver tumor is a neoplasm, not a liver."""
_SIDES = {"left": _sct("7771000", "Left"), "right": _sct("24028007", "Right")}


def _look_up(name: str) -> tuple[CodedTerm, CodedTerm] | None:
    """Category and type of the abnormal term, else of that of which the name has the most words."""
    words = {*re.findall(r"[a-z]+", name.lower()), *(word.lower() for word in WORDS.findall(name))}
    words |= {word.removesuffix("s") for word in words}
    found = [(category, kind, len(known)) for known, category, kind in _TERMS if known <= words]
    if not found:
        return None
    category, kind, _ = max(found, key=lambda item: (item[0] == ABNORMAL, item[2]))
    return category, kind


def find_lateralities(names: Sequence[str]) -> dict[str, CodedTerm]:
    """The sides that names of labels say, as DICOM wants them for segments; those that say none have none.

    Args:
        names: of all labels.
    """
    return {name: _SIDES[side] for name, side in name_sides(names).items()}


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
