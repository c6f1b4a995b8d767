from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medunet.cohort import Case, Channel, Cohort, LabelSource, find_cohort
from medunet.evaluation import EllipsoidFit, Floor, fit_floors, read_case, score_case, score_cases
from medunet.labels import LabelTable, Mask, Region
from medunet.reading import read_volume
from medunet.records import read_json

FINE = np.diag([1.0, 1.0, 2.0, 1.0])
COARSE = np.array([[2.0, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 4, 1], [0, 0, 0, 1]])
"""Voxels of twice the size; the centre of the first lies amid the first eight of the fine grid."""


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Two patients with a PET hot spot that the CT doesn't show, and one without."""
    cases = []
    for number in range(3):
        name = f"P{number}"
        truth = np.zeros((20, 16, 12), dtype=np.uint8)
        if number < 2:
            truth[4 + 4 * number : 12 + 4 * number, 4:12, 4:8] = 1
        hot = truth.reshape(10, 2, 8, 2, 6, 2).mean(axis=(1, 3, 5)) * 5 + 0.5
        ct = np.random.default_rng(number).normal(40, 10, truth.shape)
        for kind, voxels, affine in (("ct", ct, FINE), ("pet", hot, COARSE), ("label", truth, FINE)):
            dtype = np.uint8 if kind == "label" else np.float32
            nib.save(nib.Nifti1Image(voxels.astype(dtype), affine), tmp_path / f"{name}_{kind}.nii.gz")
        channels = {kind: Channel(path=str(tmp_path / f"{name}_{kind}.nii.gz")) for kind in ("ct", "pet")}
        label = LabelSource(path=str(tmp_path / f"{name}_label.nii.gz"))
        cases.append(Case(id=name, patient=name, channels=channels, label=label))
    modalities = {"ct": "CT", "pet": "PT"}
    labels = LabelTable.from_names(["lesion"])
    return Cohort(channels=("ct", "pet"), modalities=modalities, labels=labels, cases=tuple(cases))


def test_channels_are_brought_to_the_grid_of_the_first(cohort: Cohort) -> None:
    reference, images, truth = read_case(cohort, cohort.cases[0])
    assert reference.grid.shape == truth.grid.shape
    assert images["ct"].shape == images["pet"].shape == truth.voxels.shape
    # Amid two coarse centres lies their mean, weighted 3 to 1; outside of the outermost their own value.
    assert images["pet"][8, 8, 5] == pytest.approx(5.5)
    assert images["pet"][4, 8, 5] == pytest.approx(0.5 + 5 * 0.75)
    assert images["pet"][0, 0, 0] == pytest.approx(0.5)


def test_each_channel_has_a_threshold_and_scores_stand_beside_it(cohort: Cohort) -> None:
    floors = fit_floors(cohort, cohort.cases, 0)
    assert list(floors.methods) == ["ellipsoid", "threshold ct", "threshold pet"]

    def repeat(case: Case, truth: Mask) -> Mask:
        assert case in cohort.cases
        return truth

    scores, pictures = score_cases(cohort, cohort.cases, floors, repeat)
    dice = {name: [score.dice for score in cases] for name, cases in scores.methods.items()}
    assert dice["medunet"] == [1.0, 1.0, None]
    assert all(value is not None and value > 0.8 for value in dice["threshold pet"][:2])
    assert all(value is not None and value < 0.5 for value in dice["threshold ct"][:2])
    assert [picture.caption for picture in pictures] == ["P0", "P1", "P2"]


def test_a_single_channel_needs_no_name(cohort: Cohort) -> None:
    alone = cohort.model_copy(update={"channels": ("ct",)})
    assert list(fit_floors(alone, alone.cases[:1], 0).methods) == ["ellipsoid", "threshold"]


@pytest.mark.data
def test_floors_of_the_sarcomas_are_those_of_the_protocol(sts: Path) -> None:
    """Fold 0: ellipsoid of the others' masks and SUV >= 2.5, to 0.001 in each case."""
    given = read_json(sts / "floors.json")
    held_out = read_json(sts / "folds.json")["0"]
    fit = EllipsoidFit()
    for path in sorted((sts / "masks").glob("*_CT.nii.gz")):
        if path.name.removesuffix("_CT.nii.gz") not in held_out:
            volume = read_volume(path)
            fit.add(volume.voxels[0] > 0, volume.grid)
    cohort = find_cohort(sts, channels=("ct", "pet"))
    ellipsoid = Floor(channel="pet", by_label={cohort.labels.names[0]: fit.finish()})
    for case in (case for case in cohort.cases if case.patient in held_out):
        _, images, truth = read_case(cohort, case)
        hot = replace(truth, voxels=(images["pet"] >= 2.5).astype(np.uint8))
        for name, mask in (("ellipsoid", ellipsoid.predict(images, truth)), ("SUV>=2.5", hot)):
            (score,) = score_case(mask, truth, case.id)
            assert score.dice == pytest.approx(given[case.patient][name]["dice"], abs=0.001)
            assert score.nsd == pytest.approx(given[case.patient][name]["nsd_2mm"], abs=0.001)


def test_floors_predict_regions_by_their_values(cohort: Cohort) -> None:
    regions = (Region(name="all", values=(1, 2), value=1), Region(name="spot", values=(2,), value=2))
    table = LabelTable.from_names(["rim", "spot"]).model_copy(update={"regions": regions, "ignore": 3})
    for case in cohort.cases:
        assert case.label is not None
        image = nib.load(case.label.path)
        voxels = np.asarray(image.dataobj).copy()
        voxels[:, :8][voxels[:, :8] > 0] = 2
        voxels[:, -1] = 3
        nib.save(nib.Nifti1Image(voxels, image.affine), case.label.path)
    cohort = cohort.model_copy(update={"labels": table})
    floors = fit_floors(cohort, cohort.cases, 0)
    assert set(floors.methods["ellipsoid"].by_label) == {"all", "spot"}
    _, images, truth = read_case(cohort, cohort.cases[0])
    guess = floors.methods["threshold pet"].predict(images, truth)
    assert set(np.unique(guess.voxels)) <= {0, 1, 2}
    scores, _ = score_cases(cohort, cohort.cases, floors, lambda _, truth: truth)
    assert [score.dice for score in scores.of_first()] == [1, 1, 1, 1, None, None]
    assert scores.labels == ("all", "spot")
