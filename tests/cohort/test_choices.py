import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import medunet
from medunet.cohort import (
    Case,
    Channel,
    Cohort,
    LabelChoices,
    LabelSource,
    check_path,
    choose_labels,
    find_cohort,
    open_case,
    write_cohort,
)
from medunet.errors import InputError, LabelError, RecordError
from medunet.labels import LabelTable
from medunet.planner import Wishes, plan_cohort

TABLE = LabelTable.from_names(["muscle", "blood", "vessel"])


def save(voxels: np.ndarray, path: Path) -> str:
    image = nib.Nifti1Image(voxels, np.eye(4))
    image.set_sform(image.affine, 1)
    nib.save(image, path)
    return str(path)


@pytest.fixture
def hearts(tmp_path: Path) -> Path:
    """A list of four cases whose label maps hold 205, 420 in two of them, 7 in one, and never a vessel."""
    random = np.random.default_rng(3)
    cases = []
    for n in range(4):
        mask = np.zeros((12, 11, 10), np.int16)
        mask[2 + n : 8, 3:8, 2:7] = 205
        if n > 1:
            mask[4:7, 4:6, 3 : 3 + n] = 420
        if n == 3:
            mask[0, 0, 0] = 7
        image = save(random.normal(50, 20, mask.shape).astype(np.float32), tmp_path / f"i{n}.nii.gz")
        label = save(mask, tmp_path / f"l{n}.nii.gz")
        cases.append(
            Case(id=f"c{n}", patient=f"p{n}", channels={"mr": Channel(path=image)}, label=LabelSource(path=label))
        )
    cohort = Cohort(channels=("mr",), modalities={"mr": "MR"}, labels=TABLE, cases=tuple(cases))
    write_cohort(tmp_path / "cohort.json", cohort)
    return tmp_path / "cohort.json"


def test_all_values_of_all_cases_are_told_and_say_how_to_map_them(hearts: Path) -> None:
    words = r"label maps of its 4 cases hold values that the label table lacks: 7 \(in 1\), 205 \(in 4\), 420 \(in 2\)"
    with pytest.raises(LabelError, match=words) as caught:
        plan_cohort(hearts, Wishes())
    assert "--label-values" in caught.value.remedy
    assert caught.value.expected == "0 and 1 muscle, 2 blood, 3 vessel"
    told = [item for item in check_path(hearts) if item.subject == str(hearts) and item.code == "label-values"]
    assert len(told) == 1
    assert "205 (in 4)" in told[0].found


def write_table(folder: Path, images: list[np.ndarray], labels: list[np.ndarray]) -> Path:
    """A table of cases, two of them at least."""
    lines = ["id,patient,mr,label"]
    for n, (image, label) in enumerate(zip(images, labels, strict=True)):
        lines.append(f"c{n},p{n},{save(image, folder / f'i{n}.nii')},{save(label, folder / f'l{n}.nii')}")
    (folder / "good.csv").write_text("\n".join(lines))
    return folder / "good.csv"


def test_labels_that_nobody_declared_are_to_be_declared(tmp_path: Path) -> None:
    masks = [np.repeat(np.uint8([0, 1, 2]), 9).reshape(3, 3, 3)] * 2
    table = write_table(tmp_path, masks, masks)
    sentence = (
        f"{table}: label maps of its 2 cases hold values that the label table lacks: 2 (in 2) "
        "(expected 0 and 1 label); "
        'declare the labels in a cohort.json, {"cases": "good.csv", "labels": ["label", "name of 2"]}, or say which of '
        'them they mean, as with --label-values "2=1" (0 is background).'
    )
    with pytest.raises(LabelError) as caught:
        plan_cohort(table, Wishes())
    assert str(caught.value) == sentence
    with pytest.raises(LabelError) as caught:
        medunet.export_cohort(table, tmp_path / "out", "msd")
    assert str(caught.value) == sentence
    (tmp_path / "cohort.json").write_text('{"cases": "good.csv", "labels": ["label", "name of 2"]}')
    assert medunet.export_cohort(tmp_path, tmp_path / "out", "msd").labels.names == ("label", "name of 2")


def test_images_in_the_place_of_labels_are_told(tmp_path: Path) -> None:
    masks = [np.ones((6, 6, 6), np.uint8)] * 2
    whole, broken = np.arange(216, dtype=np.int16).reshape(6, 6, 6), np.full((6, 6, 6), 5.95897)
    with pytest.raises(LabelError) as caught:
        plan_cohort(write_table(tmp_path, masks, [whole, broken.astype(np.float32)]), Wishes())
    assert str(caught.value) == (
        f"{tmp_path / 'l1.nii'}: it holds values that are no integers, such as 5.95897; "
        "store it as a label map; are image and label swapped?"
    )
    with pytest.raises(LabelError, match=r"lacks: .*; are image and label swapped\? If not, add --objects where"):
        plan_cohort(write_table(tmp_path, masks, [whole, whole]), Wishes())


def test_values_are_mapped_by_an_option_or_by_the_list(hearts: Path) -> None:
    choices = LabelChoices(label_values={205: 1, 420: 2, 7: 0})
    cohort = choose_labels(find_cohort(hearts), choices, hearts)
    stored = np.asarray(nib.load(cohort.cases[3].label.path).dataobj)
    voxels = open_case(cohort, cohort.cases[3])[1].voxels
    assert np.array_equal(voxels, (stored == 205) + 2 * (stored == 420))
    content = json.loads(hearts.read_text())
    content["label_values"] = {"205": 1, "420": 2, "7": 0}
    hearts.write_text(json.dumps(content))
    assert np.array_equal(open_case(find_cohort(hearts), cohort.cases[3])[1].voxels, voxels)


def test_a_label_that_no_case_holds_is_told(hearts: Path) -> None:
    found = check_path(hearts, labels=LabelChoices(label_values={205: 1, 420: 2, 7: 0}))
    told = [item.found for item in found if item.subject == "cohort" and item.code == "label-empty"]
    assert told == ["the label vessel is declared, but no case holds a voxel of it"]


@pytest.mark.parametrize(
    ("choices", "error", "words"),
    [
        ({"label_values": {205: 4}}, RecordError, "the value 205 can't mean 4"),
        ({"precedence": ("mucsle",)}, RecordError, "unknown label 'mucsle'; did you mean 'muscle'"),
        ({"regions": {"heart": ("mucsle",)}}, InputError, "the region heart has the unknown label 'mucsle'"),
        ({"regions": {"blood": ("muscle",)}}, InputError, "called like a label that it doesn't hold"),
        ({"regions": {"heart": ("muscle", "blood")}}, InputError, "the region heart has no value of its own"),
    ],
)
def test_what_is_no_label_is_refused(hearts: Path, choices: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        choose_labels(find_cohort(hearts), LabelChoices(**choices), hearts)


def test_regions_come_with_large_ones_first(hearts: Path) -> None:
    choices = LabelChoices(regions={"muscle": ("muscle", "blood", "vessel")})
    regions = choose_labels(find_cohort(hearts), choices, hearts).labels.regions
    assert [(region.name, region.values, region.value) for region in regions] == [
        ("muscle", (1, 2, 3), 1),
        ("blood", (2,), 2),
        ("vessel", (3,), 3),
    ]
