import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from medunet.cohort import find_cohort, read_channel, read_label
from medunet.cohort.structures import match_structures, name_labels
from medunet.errors import LabelError
from medunet.reading import LabelFile
from medunet.testing.phantoms import PhantomSize, make_cohort


def make_file(*names: str) -> LabelFile:
    return LabelFile("x.dcm", "RTSTRUCT", "A", "", "", (), names)


@pytest.mark.parametrize(
    ("names", "aliases", "found"),
    [
        (("Body", "tumor"), {"GTV*": "tumor"}, "tumor"),
        (("Body", "Tumor "), {}, "Tumor "),
        (("BODY", "gtv_1 primary"), {"GTV*": "tumor"}, "gtv_1 primary"),
        (("GTVp", "GTVn"), {"GTVp": "tumor", "GTV*": "tumor"}, "GTVp"),
        (("GTV [old]", "Body"), {"GTV [old]": "tumor"}, "GTV [old]"),
        (("GTV", "LN 1"), {"LN*": "node", "GTV?": "tumor", "G*": "tumor"}, "GTV"),
    ],
)
def test_the_name_goes_first_and_then_aliases_in_their_order(
    names: tuple[str, ...], aliases: dict[str, str], found: str
) -> None:
    assert match_structures(make_file(*names), ["tumor"], aliases) == {"tumor": found}


LACKING = "where files lack some structures, say what that means with --missing absent or --missing unknown."


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("Body", "LN"),
            'no structure fits the label \'tumor\' (there are Body, LN); add the right one, like "Body": "tumor" to '
            f"aliases in the cohort.json; {LACKING}",
        ),
        (
            ("lesion",),
            'no structure fits the label \'tumor\' (there are lesion); add "lesion": "tumor" to aliases in the '
            f"cohort.json; {LACKING}",
        ),
        (
            (),
            "no structure fits the label 'tumor' (there are none); draw it and export the file again, or leave the "
            "label out.",
        ),
        (
            ("GTVp", "Body", "GTVn"),
            "its structures GTVp, GTVn all fit the label 'tumor' (there are GTVp, Body, GTVn); put the right one first "
            'in aliases in the cohort.json, like "GTVp": "tumor", or name it in rois of a listed case.',
        ),
    ],
)
def test_none_or_several_are_refused_with_all_names(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(LabelError) as caught:
        match_structures(make_file(*names), ["tumor"], {"GTV*": "tumor"})
    assert str(caught.value) == f"x.dcm: {words}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two patients with one drawn structure, called GTV_1 and gtv primary, and one that is declared only."""
    folder = tmp_path / "tree"
    make_cohort(folder, 2, PhantomSize((16, 14, 8), (20.0, 22.0, 30.0)))
    for patient, name in zip(sorted(folder.iterdir()), ("GTV_1", "gtv primary"), strict=True):
        dataset = dcmread(patient / "contours.dcm")
        item = dataset.StructureSetROISequence[0]
        item.ROIName = name
        body = Dataset()
        body.ROINumber, body.ROIName, body.ROIGenerationAlgorithm = item.ROINumber + 1, "Body", "MANUAL"
        dataset.StructureSetROISequence.append(body)
        dataset.save_as(patient / "contours.dcm")
    return folder


def describe(folder: Path, **content: Any) -> Path:
    path = folder / "cohort.json"
    path.write_text(json.dumps(content))
    return path


def test_a_tree_is_named_by_aliases(tree: Path) -> None:
    with pytest.raises(LabelError, match=r"by aliases in a cohort\.json"):
        find_cohort(tree)
    describe(tree, cases=".", aliases={"GTV*": "tumor"}, folds=[["PH-0000"], ["PH-0001"]])
    cohort = find_cohort(tree)
    assert cohort.labels.names == ("tumor",)
    assert cohort.folds == (("PH-0000",), ("PH-0001",))
    assert [case.label and case.label.rois for case in cohort.cases] == [{"tumor": "GTV_1"}, {"tumor": "gtv primary"}]
    for case in cohort.cases:
        assert read_label(cohort, case, read_channel(case, "ct").grid).voxels.any()


def test_labels_of_a_tree_choose_structures_and_channels_get_their_modality(tree: Path) -> None:
    path = describe(
        tree.parent,
        cases="tree",
        labels=["body", "tumor"],
        aliases={"GTV*": "tumor"},
        channels=["plan"],
        modalities={"plan": "CT"},
    )
    cohort = find_cohort(path)
    assert cohort.channels == ("plan",)
    assert [case.label and case.label.rois["body"] for case in cohort.cases] == ["Body", "Body"]
    describe(tree.parent, cases="tree", labels=["body"], aliases={"GTV*": "tumour"})
    with pytest.raises(
        LabelError, match=r"the alias 'GTV\*' points to 'tumour', but the labels are: body; point it to"
    ):
        find_cohort(path)
    describe(tree.parent, cases="tree", labels=["node"])
    with pytest.raises(LabelError, match=r"no structure fits the label 'node' \(there are GTV_1, Body\)"):
        find_cohort(path)


def test_aliases_hold_for_listed_cases_unless_their_rois_say_otherwise(tree: Path) -> None:
    cases: list[dict[str, Any]] = [
        {
            "id": name,
            "patient": name,
            "channels": {"ct": {"path": f"{name}/CT"}},
            "label": {"path": f"{name}/contours.dcm"},
        }
        for name in ("PH-0000", "PH-0001")
    ]
    cases[1]["label"]["rois"] = {"tumor": "Body"}
    content = {"channels": ["ct"], "modalities": {"ct": "CT"}, "labels": ["tumor"], "aliases": {"GTV*": "tumor"}}
    cohort = find_cohort(describe(tree, **content, cases=cases))
    assert [case.label and case.label.rois for case in cohort.cases] == [{"tumor": "GTV_1"}, {"tumor": "Body"}]
    assert cohort.aliases == {}
    (tree / "cases.csv").write_text("id,patient,ct,label\na,A,PH-0000/CT,PH-0000/contours.dcm\n")
    cohort = find_cohort(describe(tree, cases="cases.csv", labels=["tumor"], aliases={"GTV*": "tumor"}))
    assert cohort.cases[0].label is not None
    assert cohort.cases[0].label.rois == {"tumor": "GTV_1"}


def test_structures_that_files_lack_are_missing_where_that_is_said() -> None:
    assert match_structures(make_file("Liver"), ["liver", "tumor"], {}, missing="unknown") == {
        "liver": "Liver",
        "tumor": "",
    }
    files = [make_file("a", "b"), replace(make_file("b", "c"), path="y.dcm")]
    assert name_labels(Path("x"), files, (), {}, "absent") == {
        "x.dcm": {"a": "a", "b": "b", "c": ""},
        "y.dcm": {"a": "", "b": "b", "c": "c"},
    }
    with pytest.raises(LabelError, match=r"--missing absent .* or --missing unknown"):
        name_labels(Path("x"), files, (), {})


def test_a_tree_whose_files_lack_structures_is_read_where_it_is_said_what_that_means(tree: Path) -> None:
    cohort = find_cohort(tree, missing="unknown").model_copy(update={"precedence": ("GTV_1", "gtv primary")})
    assert cohort.labels.names == ("Body", "GTV_1", "gtv primary")
    masks = [read_label(cohort, case, read_channel(case, "ct").grid) for case in cohort.cases]
    assert [mask.unknown for mask in masks] == [(1, 3), (1, 2)]
    held = [np.flatnonzero(mask.count_values()[1:]).tolist() for mask in masks]
    # A structure that is declared and not drawn was looked for by nobody.
    assert held == [[1], [2]]
    listed = {
        "channels": ["ct"],
        "modalities": {"ct": "CT"},
        "labels": ["GTV_1", "node"],
        "cases": [
            {
                "id": "a",
                "patient": "A",
                "channels": {"ct": {"path": "PH-0000/CT"}},
                "label": {"path": "PH-0000/contours.dcm"},
            }
        ],
    }
    absent = find_cohort(describe(tree, **listed, missing="absent"))
    assert absent.cases[0].label is not None
    assert absent.cases[0].label.rois == {"GTV_1": "GTV_1", "node": ""}
    mask = read_label(absent, absent.cases[0], read_channel(absent.cases[0], "ct").grid)
    assert (mask.unknown, mask.count_values().astype(bool).tolist()) == ((), [True, True, False])
    assert find_cohort(tree, missing="unknown").missing == "unknown"
