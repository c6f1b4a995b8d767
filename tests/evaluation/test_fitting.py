from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pet_ct import write_pet_ct

from medunet.cohort import Cohort, find_cohort
from medunet.evaluation import EllipsoidFit, Floor, fit_floors, read_case, score_case, score_cases
from medunet.labels import LabelTable, Region
from medunet.reading import read_volume
from medunet.records import read_json


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return write_pet_ct(tmp_path)


def test_channels_are_brought_to_the_grid_of_the_first(cohort: Cohort) -> None:
    reference, images, truth = read_case(cohort, cohort.cases[0])
    assert reference.grid.shape == truth.grid.shape
    assert images["ct"].shape == images["pet"].shape == truth.voxels.shape
    # Amid two coarse centres lies their mean, weighted 3 to 1; outside of the outermost their own value.
    assert images["pet"][8, 8, 5] == pytest.approx(5.5)
    assert images["pet"][4, 8, 5] == pytest.approx(0.5 + 5 * 0.75)
    assert images["pet"][0, 0, 0] == pytest.approx(0.5)


def test_each_channel_has_a_threshold(cohort: Cohort) -> None:
    assert list(fit_floors(cohort, cohort.cases, 0).methods) == ["ellipsoid", "threshold ct", "threshold pet"]


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
            assert score.nsd_voxels == pytest.approx(given[case.patient][name]["nsd_2mm"], abs=0.001)


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
    scores = score_cases(cohort, cohort.cases, floors, lambda _, truth: truth, lambda *_: None)
    assert [score.dice for score in scores.of_first()] == [1, 1, 1, 1, None, None]
    assert scores.labels == ("all", "spot")
