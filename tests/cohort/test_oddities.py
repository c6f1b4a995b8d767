"""Faults made in what was measured of a sound cohort; `test_check` makes them in files."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from facts import edit_image, edit_label, make_case

from medunet.cohort.cases import Cohort
from medunet.cohort.facts import CaseFacts, measure_image
from medunet.cohort.oddities import compare_cases, judge_image
from medunet.labels import LabelTable
from medunet.reading import Source, Volume
from medunet.testing.phantoms import PhantomSize, draw_cohort

COHORT = Cohort(channels=("ct",), modalities={"ct": "CT"}, labels=LabelTable.from_names(["liver", "spleen"]), cases=())
COUNT = 16


def name_patient(case: CaseFacts) -> CaseFacts:
    return edit_image(case, source=Source(path="x", patient_id=" p3"))


FAULTS: dict[str, tuple[str, Callable[[CaseFacts], CaseFacts]]] = {
    "the patient of another case": ("patient-twice", name_patient),
    "the volume of another case": ("volume-twice", lambda case: edit_image(case, digest="3")),
    "one value": ("image-empty", lambda case: edit_image(case, digest="")),
    "thick slices": ("spacing-outlier", lambda case: edit_image(case, spacing=(1.0, 1.0, 7.0))),
    "metres": ("size-implausible", lambda case: edit_image(case, spacing=(1e-3, 1e-3, 3e-3))),
    "0 to 1": ("values-not-hu", lambda case: edit_image(case, least=0, low=0, middle=0.4, high=1)),
    "1024 too much": ("values-not-hu", lambda case: edit_image(case, least=0, low=24, middle=1000, high=1900)),
    "another unit": ("values-outlier", lambda case: edit_image(case, low=-1e5, high=1e5)),
    "at the border": ("label-at-border", lambda case: edit_label(case, margins=((0, 3), (4, 4), (5, 5)))),
    "a speck": ("label-specks", lambda case: edit_label(case, specks=1)),
    "a hole": ("label-holes", lambda case: edit_label(case, holes=1, hole_voxels=4)),
    "every third slice": ("label-every-nth-slice", lambda case: edit_label(case, stride=3)),
    "nothing marked": ("label-empty", lambda case: replace(case, labels={}, margins=())),
    "a label less": ("label-empty", lambda case: replace(case, labels={"liver": (case.labels or {})["liver"]})),
    "a left-handed affine": ("handedness-differs", lambda case: edit_image(case, right_handed=False)),
    "a liver on the left": ("side-differs", lambda case: edit_label(case, centre=(-0.6, 0.1, 0.1))),
    "a mirrored image": ("image-mirrored", lambda case: edit_image(case, coarse=case.images["ct"].coarse[::-1])),
}


def test_a_label_that_nobody_looked_for_is_not_missing() -> None:
    cases = [make_case(number) for number in range(8)]
    cases[0] = replace(cases[0], labels={"liver": (cases[0].labels or {})["liver"]}, unknown=("spleen",))
    assert compare_cases(COHORT, cases) == []
    cases[1] = replace(cases[1], labels={}, margins=(), unknown=("liver", "spleen"))
    (odd,) = [item for item in compare_cases(COHORT, cases) if item.code == "label-empty"]
    assert odd.found == "it holds no label, and nobody looked for one, so it teaches nothing"


def test_a_sound_cohort_has_no_finding() -> None:
    assert compare_cases(COHORT, [make_case(number) for number in range(COUNT)]) == []
    assert compare_cases(COHORT, [make_case(0)]) == []
    assert compare_cases(COHORT, []) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_case_is_found_and_nothing_else(fault: str) -> None:
    code, make = FAULTS[fault]
    cases = [make_case(number) for number in range(COUNT)]
    cases[5] = make(cases[5])
    found = compare_cases(COHORT, cases)
    assert {item.code for item in found} == {code}
    assert all(item.subject.startswith(("case5", "case3")) for item in found)


def test_margins_that_hardly_differ_show_images_cut_around_labels() -> None:
    cases = [make_case(number) for number in range(COUNT)]
    around = ((10, 10), (9, 11), (4, 4))
    cut = [edit_image(replace(case, margins=around), shape=(40 + n, 50 + n, 30 + n)) for n, case in enumerate(cases)]
    found = compare_cases(COHORT, cut)
    assert [item.code for item in found] == ["label-margin-constant"] * 3
    alike = [edit_image(replace(case, margins=around), shape=(40, 50, 30)) for case in cases]
    assert compare_cases(COHORT, alike) == [], "labels of one size in the middle say nothing"


def test_what_most_cases_have_is_said_once() -> None:
    cases = [edit_label(make_case(number), margins=((3, 3), (4, 4), (5, 0))) for number in range(COUNT)]
    (finding,) = compare_cases(COHORT, cases)
    assert (finding.severity, finding.subject) == ("note", "cohort")
    assert "in 16 of 16 cases the label liver touches the border" in finding.found


def test_names_say_which_side_is_left() -> None:
    table = LabelTable.from_names(["kidney_right", "kidney_left"])
    case = make_case(0)
    left, right = (case.labels or {})["spleen"], (case.labels or {})["liver"]
    sound = replace(case, labels={"kidney_right": right, "kidney_left": left})
    swapped = replace(case, labels={"kidney_right": left, "kidney_left": right})
    cohort = COHORT.model_copy(update={"labels": table})
    assert compare_cases(cohort, [sound]) == []
    assert [item.found for item in compare_cases(cohort, [swapped])] == [
        "the label kidney_left lies right of kidney_right"
    ]


def test_an_image_by_itself_can_be_empty_of_no_size_or_no_hounsfield_units() -> None:
    image = make_case(0).images["ct"]
    assert not [*judge_image(image, "a scan")]
    source = replace(image.source, modality="CT")
    odd = replace(image, digest="", spacing=(1e-3, 1e-3, 1e-3), low=0.0, high=1.0, source=source)
    assert [item.code for item in judge_image(odd, "a scan")] == ["image-empty", "size-implausible", "values-not-hu"]


def test_holes_between_objects_are_none() -> None:
    objects = COHORT.model_copy(update={"labels": LabelTable.from_names(["liver"], objects=True)})
    assert compare_cases(objects, [edit_label(make_case(0), holes=4, hole_voxels=9)]) == []


def test_a_mirrored_patient_is_found_among_whole_trunks() -> None:
    phantoms = draw_cohort(8, PhantomSize((48, 40, 20), (7.0, 7.0, 10.0)), seed=40)
    cases = []
    for n, phantom in enumerate(phantoms):
        across = phantom.grid.nearest_axes()[0]
        voxels = np.flip(phantom.voxels, across) if n == 3 else phantom.voxels
        image = measure_image(Volume(voxels[None], phantom.grid, Source(path="x")))
        cases.append(CaseFacts(str(n), str(n), {"ct": image}))
    found = compare_cases(COHORT, cases)
    assert [(item.code, item.subject) for item in found] == [("image-mirrored", "3 ct")]


def test_among_few_images_one_that_is_unlike_silences_the_mirrored() -> None:
    cases = [make_case(number) for number in range(8)]
    coarse = cases[5].images["ct"].coarse
    cases[5] = edit_image(cases[5], coarse=coarse[::-1])
    assert [item.code for item in compare_cases(COHORT, cases)] == ["image-mirrored"]
    other = np.random.default_rng(0).normal(coarse.mean(), coarse.std(), coarse.shape)
    cases[2] = edit_image(cases[2], coarse=other)
    assert compare_cases(COHORT, cases) == []


def test_labels_near_the_middle_have_no_side() -> None:
    rng = np.random.default_rng(0)
    cases = [edit_label(make_case(n), centre=(float(rng.normal(0.11, 0.02)), 0.1, 0.1)) for n in range(40)]
    cases[7] = edit_label(cases[7], centre=(-0.15, 0.1, 0.1))
    assert compare_cases(COHORT, cases) == []
