from pydicom.sr.codedict import codes

from medunet import terms
from medunet.labels import CodedTerm, Label, LabelTable
from medunet.terms import GENERIC, code_labels, find_lateralities, find_terms

OWN = CodedTerm(scheme="SCT", value="108369006", meaning="Tumor")


def label(name: str, code: CodedTerm | None = None) -> Label:
    return Label(value=1, name=name, colour=(1, 2, 3), code=code)


def list_terms(cid: str) -> dict[str, str]:
    group = getattr(codes, cid)
    return {getattr(group, name).value: getattr(group, name).meaning for name in group.dir()}


def test_every_term_is_in_the_groups_of_dicom() -> None:
    categories, types = list_terms("cid7150"), list_terms("cid7151") | list_terms("cid7159")
    assert all(categories[term.value] == term.meaning for term in (terms.ABNORMAL, terms.ANATOMICAL, GENERIC))
    for table in (terms._ABNORMAL_TYPES, terms._ANATOMICAL_TYPES):
        for term in table.values():
            assert types[term.value] == term.meaning


def test_names_say_what_a_label_is() -> None:
    for name in ("GTV_Mass", "GTVp", "liver tumours", "Sarcoma 2"):
        assert [term.meaning for term in find_terms(label(name))] == [terms.ABNORMAL.meaning, "Neoplasm"], name
    assert find_terms(label("lesions"))[1].meaning == "Lesion"
    assert find_terms(label("Hippocampus anterior")) == (terms.ANATOMICAL, terms._sct("5366008", "Hippocampus"))
    assert find_terms(label("massive")) == (GENERIC, GENERIC)


def test_the_term_with_the_most_words_of_a_name_is_its_own() -> None:
    said = {
        "BrainStem": "Brain Stem",
        "brain": "Brain",
        "SpinalCord": "Spinal cord",
        "RightParotid": "Parotid gland",
        "Inferior vena cava": "Inferior vena cava",
        "Brain stem tumor": "Neoplasm",
        "vertebrae_L1": "Vertebra",
    }
    assert {name: find_terms(label(name))[1].meaning for name in said} == said


def test_sides_have_codes() -> None:
    names = ["RightParotid", "LeftParotid", "Larynx"]
    sides = list_terms("cid244")
    found = [find_lateralities(names).get(name) for name in names]
    assert [term and sides[term.value] for term in found] == ["Right", "Left", None]
    assert [term and term.meaning for term in found] == ["Right", "Left", None]


def test_own_terms_come_first() -> None:
    assert find_terms(label("x", OWN)) == (terms.ABNORMAL, OWN)
    unknown = CodedTerm(scheme="99ME", value="1", meaning="thing")
    assert find_terms(label("tumor", unknown)) == (GENERIC, unknown)


def test_a_table_is_coded_where_names_are_known() -> None:
    table = code_labels(LabelTable.from_names(["liver", "x"]))
    assert table.labels[0].code is not None
    assert table.labels[0].category == terms.ANATOMICAL
    assert table.labels[1].code is None
    assert code_labels(table) == table


def test_coding_keeps_what_else_a_table_says() -> None:
    table = LabelTable.from_names(["tumor"], objects=True)
    assert code_labels(table).objects
    assert code_labels(table.model_copy(update={"objects": False, "ignore": 9})).ignore == 9
