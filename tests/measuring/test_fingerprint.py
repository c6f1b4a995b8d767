from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import change, make_grid, make_pet, write_series
from discs import draw_discs
from PIL import Image
from pydicom import Dataset

from medunet.cohort import Case, Channel, Cohort, LabelSource, find_cohort, read_channel, read_label
from medunet.errors import GeometryError, InputError, LabelError
from medunet.labels import LabelTable
from medunet.measuring import measure_cohort
from medunet.measuring.fingerprint import summarize_cohort
from medunet.measuring.measures import measure_case


def test_measures_are_those_of_the_voxels_inside_the_labels(cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    fingerprint = measure_cohort(cohort)
    values = []
    for case, measure in zip(cohort.cases, fingerprint.cases, strict=True):
        volume = read_channel(case, "ct")
        mask = read_label(cohort, case, volume.grid)
        values.append(volume.voxels[0][mask.voxels > 0])
        x, y, z = volume.grid.nearest_axes()
        assert measure.shape == tuple(volume.grid.shape[axis] for axis in (x, y, z))
        assert measure.label_ml["lesion"] == pytest.approx(mask.volumes_ml()["lesion"], abs=1e-3)
    inside = np.concatenate(values)
    statistics = fingerprint.channels["ct"]
    assert statistics.mean == pytest.approx(inside.mean(), rel=0.01)
    assert statistics.low == pytest.approx(np.percentile(inside, 0.5), abs=5)
    assert statistics.high == pytest.approx(np.percentile(inside, 99.5), abs=5)
    assert fingerprint.median_shape_at(fingerprint.cases[0].spacing_mm)[0] > 30
    longest = max(case.shape[2] * case.spacing_mm[2] for case in fingerprint.cases)
    volumes = fingerprint.sum_volumes(cohort)
    assert set(volumes) == {case.patient for case in cohort.cases}
    assert sum(volumes.values()) == pytest.approx(sum(case.label_ml["lesion"] for case in fingerprint.cases))
    assert fingerprint.largest_extent()[2] == pytest.approx(longest, abs=0.05)


def test_a_cohort_without_any_label_is_refused(cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    measured = measure_cohort(cohort)
    healthy = [case.id for case in measured.cases if case.label_ml["lesion"] == 0]
    bare = tuple(case for case in cohort.cases if case.id in healthy)
    assert bare
    with pytest.raises(LabelError, match="no case holds any voxel"):
        measure_cohort(cohort.model_copy(update={"cases": bare}))


def write_pets(folder: Path, weights: list[str | None]) -> Cohort:
    """A PET of each weight, with a label map."""
    grid, cases = make_grid(), []
    for name, weight in zip("abc", weights, strict=False):
        voxels = write_series(folder / name / "PET", grid)

        def edit(dataset: Dataset, _: int, weight: str | None = weight) -> None:
            make_pet(dataset)
            dataset.PatientWeight, dataset.RescaleIntercept = weight, 0

        change(folder / name / "PET", edit)
        nib.save(nib.Nifti1Image((voxels > 0).astype(np.uint8), grid.affine), folder / name / "label.nii")
        label = LabelSource(path=str(folder / name / "label.nii"))
        cases.append(
            Case(id=name, patient=name, channels={"pet": Channel(path=str(folder / name / "PET"))}, label=label)
        )
    labels = LabelTable.from_names(["lesion"])
    return Cohort(channels=("pet",), modalities={"pet": "PT"}, labels=labels, cases=tuple(cases))


def test_units_of_a_channel_are_one(tmp_path: Path) -> None:
    cohort = write_pets(tmp_path, ["70", None, "80"])
    with pytest.raises(
        InputError, match=r"pet of case b is in BQML \(.*Weight is missing\), that of case [ac] in SUVbw"
    ):
        measure_cohort(cohort)
    assert measure_cohort(cohort.model_copy(update={"cases": cohort.cases[::2]})).units == {"pet": "SUVbw"}
    stored = [
        case.model_copy(update={"channels": {"pet": Channel(path=case.channels["pet"].path, pet="stored")}})
        for case in cohort.cases
    ]
    assert measure_cohort(cohort.model_copy(update={"cases": tuple(stored)})).units == {"pet": "BQML"}


def test_grey_and_colour_pictures_count_as_colour(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    draw_discs(tmp_path, 4)
    caplog.set_level("INFO")
    cohort = find_cohort(tmp_path, objects=True)
    found = measure_cohort(cohort)
    assert (found.unit, found.components) == ("px", {"image": 3})
    assert [case.shape[2] for case in found.cases] == [1] * 4
    assert "2 of 4 pictures are grey: they are repeated to 3 components" in caplog.text
    label = np.asarray(Image.open(tmp_path / "labels" / "disc0.png"))
    assert found.cases[0].label_ml == {"object": (label > 0).sum()}


def test_pictures_of_a_case_have_one_size(tmp_path: Path) -> None:
    draw_discs(tmp_path, 4)
    cohort = find_cohort(tmp_path, objects=True)
    cases = [case.model_copy(update={"channels": {**case.channels, "red": cohort.cases[1].channels["image"]}})
             for case in cohort.cases]  # fmt: skip
    two = {"channels": ("image", "red"), "modalities": {"image": "OT", "red": "OT"}, "cases": tuple(cases)}
    with pytest.raises(GeometryError, match=r"disc1\.png: its shape \(128, 128, 1\) is not \(96, 80, 1\)"):
        measure_cohort(cohort.model_copy(update=two))


def test_volumes_of_one_channel_have_equal_components(tmp_path: Path, cohort_folder: Path) -> None:
    voxels = np.zeros((8, 8, 8), np.int16)
    voxels[2:5, 2:5, 2:5] = 1
    for name, array in (("label", voxels), ("one", voxels), ("two", np.stack([voxels, voxels], -1))):
        image = nib.Nifti1Image(array, np.eye(4))
        image.set_sform(np.eye(4), 1)
        image.set_qform(np.eye(4), 1)
        nib.save(image, tmp_path / f"{name}.nii.gz")
    cases = [
        Case(
            id=name,
            patient=name,
            channels={"ct": Channel(path=str(tmp_path / f"{name}.nii.gz"))},
            label=LabelSource(path=str(tmp_path / "label.nii.gz")),
        )
        for name in ("two", "one")
    ]
    cohort = find_cohort(cohort_folder).model_copy(update={"cases": tuple(cases)})
    with pytest.raises(InputError, match="the ct of case one has 1 components, that of case two has 2"):
        measure_cohort(cohort)
    assert measure_cohort(cohort.model_copy(update={"cases": tuple(cases[:1])})).components == {"ct": 2}


def test_what_is_odd_about_cases_beside_each_other_is_warned_of(
    cohort_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cohort = find_cohort(cohort_folder)
    first, second = cohort.cases[:2]
    twin = second.model_copy(update={"id": "twin", "patient": "twin"})
    measure_cohort(cohort.model_copy(update={"cases": (first, second, twin)}))
    assert f"{second.id} ct: it has the same values as twin ct; leave one of them out" in caplog.text
    assert f"{second.id}: its patient is also that of twin" in caplog.text


def test_neither_processes_nor_what_is_kept_change_the_fingerprint(
    cohort_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cohort = find_cohort(cohort_folder)
    alone = summarize_cohort(cohort, [measure_case(cohort, case) for case in cohort.cases])
    said = [record.getMessage() for record in caplog.records]
    for ram_gib in (0.001, 64.0):
        folder = tmp_path / str(ram_gib)
        for _ in range(2):
            caplog.clear()
            assert measure_cohort(cohort, ram_gib, folder) == alone
            told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
            assert [line for line in told if "memory of stage" not in line] == said
    backwards = cohort.model_copy(update={"cases": cohort.cases[::-1]})
    assert measure_cohort(backwards, folder=folder).cases == alone.cases[::-1]
