import re
from dataclasses import replace

import pytest
from facts import edit_image, make_case

from medunet.cohort.agreement import (
    agree_on_components,
    agree_on_labels,
    agree_on_missing,
    agree_on_modality,
    agree_on_unit,
    agree_on_values,
)
from medunet.cohort.cases import Case, Cohort
from medunet.errors import GeometryError, InputError, LabelError
from medunet.labels import LabelTable
from medunet.reading import Source


def test_cases_that_agree_say_on_what() -> None:
    cases = [edit_image(make_case(n), source=Source(path="x", units="HU" if n else "")) for n in range(3)]
    assert agree_on_unit(cases) == "mm"
    assert agree_on_values("ct", cases) == "HU"
    assert agree_on_components("ct", cases) == 1
    agree_on_labels(cases)


def test_cases_that_differ_are_named() -> None:
    first, second = make_case(0), make_case(1)
    with pytest.raises(GeometryError, match="case1 has no physical size, that of case case0 has one"):
        agree_on_unit([first, edit_image(second, unit="px")])
    with pytest.raises(InputError, match="case1 is in BQML, that of case case0 in SUVbw"):
        agree_on_values("ct", [edit_image(first, source=Source("x", units="SUVbw")),
                               edit_image(second, source=Source("y", units="BQML"))])  # fmt: skip
    with pytest.raises(InputError, match="case1 has 1 components, that of case case0 has 3"):
        agree_on_components("ct", [edit_image(first, components=3), second])
    assert agree_on_components("ct", [edit_image(first, components=3, unit="px"), edit_image(second, unit="px")]) == 3


def test_without_any_voxel_of_a_label_there_is_nothing_to_learn() -> None:
    with pytest.raises(LabelError, match="no case holds any voxel"):
        agree_on_labels([])


def test_images_are_of_the_modality_of_their_channel_where_headers_tell() -> None:
    files = [edit_image(make_case(n), source=Source(f"{n}", modality=name)) for n, name in enumerate(("CT", "", "MR"))]
    agree_on_modality("ct", "CT", files[:2])
    with pytest.raises(InputError, match="the ct of case case2 is MR, but its channel is said to be CT") as caught:
        agree_on_modality("ct", "CT", files)
    assert caught.value.code == "modality-differs"


def test_what_a_missing_label_means_is_asked_for_and_never_guessed() -> None:
    first, second = make_case(0), replace(make_case(1), labels={"liver": (make_case(1).labels or {})["liver"]})
    listed = tuple(Case(id=case.id, patient=case.id, channels={}) for case in (first, second))
    table = LabelTable.from_names(["liver", "spleen", "never drawn"])
    cohort = Cohort(channels=("ct",), modalities={"ct": "CT"}, labels=table, cases=listed)
    sentence = (
        "cohort: of its 2 cases some have nothing of a label (spleen in 1), and nothing says what that means; "
        "say --missing absent (there is none), --missing unknown"
    )
    with pytest.raises(LabelError, match=re.escape(sentence)) as caught:
        agree_on_missing(cohort, [first, second])
    assert caught.value.code == "label-unsaid"
    agree_on_missing(cohort, [first, first])
    for missing in ("absent", "unknown"):
        agree_on_missing(cohort.model_copy(update={"missing": missing}), [first, second])
    told = listed[0], listed[1].model_copy(update={"contoured": ("liver",)})
    agree_on_missing(cohort.model_copy(update={"cases": told}), [first, second])
    # A file that holds nothing of the only label says that there is none.
    alone = cohort.model_copy(update={"labels": LabelTable.from_names(["spleen"])})
    agree_on_missing(alone, [first, second])
