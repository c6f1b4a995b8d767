import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from pet_ct import write_pet_ct

from medunet.cohort import Case, Channel, Cohort, LabelSource, find_cohort, read_channel
from medunet.errors import InputError
from medunet.findings import Finding, make_finding, warn
from medunet.labels import LabelTable
from medunet.measuring.measures import SAMPLES, measure_case, summarize
from medunet.reading import Volume, read_volume


def write_image(path: Path, voxels: np.ndarray, affine: np.ndarray) -> str:
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nib.save(image, path)
    return str(path)


def make_cohort(folder: Path, label: np.ndarray, affine: np.ndarray, modality: str = "MR") -> Cohort:
    """One case of an image of ones inside a frame of zeros, two voxels wide along I."""
    image = np.zeros(label.shape, np.int16)
    image[2:-2] = np.where(label[2:-2] > 0, 100 * label[2:-2].astype(np.int16), 1)
    case = Case(
        id="a",
        patient="a",
        channels={"image": Channel(path=write_image(folder / "image.nii.gz", image, affine))},
        label=LabelSource(path=write_image(folder / "label.nii.gz", label, affine)),
    )
    labels = LabelTable.from_names(["one", "two", "none"])
    return Cohort(channels=("image",), modalities={"image": modality}, labels=labels, cases=(case,))


def test_what_is_known_of_a_case_is_measured(tmp_path: Path) -> None:
    label = np.zeros((20, 12, 10), np.uint8)
    label[4:6, 4:6, 4:6] = 1
    label[10, 0:2, 5] = 1
    label[12:14, 5:9, 5] = 2
    cohort = make_cohort(tmp_path, label, np.diag([-2.0, 1, 3, 1]))
    found = measure_case(cohort, cohort.cases[0]).measure
    assert (found.shape, found.spacing_mm) == ((20, 12, 10), (2.0, 1.0, 3.0))
    assert found.label_ml == {"one": pytest.approx(0.06), "two": pytest.approx(0.048), "none": 0.0}
    assert found.body_shape == (16, 12, 10)
    assert found.pieces == {"one": 2, "two": 1}
    assert found.at_border == {"one": True, "two": False}
    assert found.intensities["image"].mean == pytest.approx((10 * 100 + 8 * 200) / 18)
    assert found.voxel_bytes == 20 * 12 * 10 * 2


def test_a_case_without_labels_has_no_intensities(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path, np.zeros((8, 8, 8), np.uint8), np.eye(4))
    found = measure_case(cohort, cohort.cases[0])
    assert (found.measure.intensities, found.measure.pieces, len(found.samples["image"])) == ({}, {}, 0)


def test_a_large_label_is_sampled_evenly(tmp_path: Path) -> None:
    label = np.zeros((40, 40, 40), np.uint8)
    label[4:36, 4:36, 4:36] = 1
    label[20:36, 4:36, 4:36] = 2
    cohort = make_cohort(tmp_path, label, np.eye(4))
    first, second = (measure_case(cohort, cohort.cases[0]).samples["image"] for _ in range(2))
    assert len(first) == SAMPLES
    assert np.array_equal(first, second)
    assert np.mean(first == 200) == pytest.approx(0.5, abs=0.02)


def test_what_is_logged_is_kept_and_not_shown(
    cohort_folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = find_cohort(cohort_folder)
    before = logging.getLogger("medunet").handlers[:]
    told = []

    def tell(case: Case, channel: str) -> Volume:
        logging.getLogger("medunet.reading").warning("%s: odd", channel)
        warn("label-grid", channel, "it is off")
        told.append(channel)
        return read_channel(case, channel)

    monkeypatch.setattr("medunet.cohort.opening.read_channel", tell)
    measured = measure_case(cohort, cohort.cases[0])
    assert told == ["ct"]
    assert (logging.WARNING, "medunet.reading", "ct: odd") in measured.said
    assert make_finding("label-grid", "ct", "it is off", severity="warning") in measured.said
    assert "odd" not in caplog.text
    assert "off" not in caplog.text
    assert logging.getLogger("medunet").handlers == before


def test_statistics_are_those_of_the_values() -> None:
    found = summarize(np.arange(1001, dtype=np.float32))
    assert (found.mean, found.low, found.high) == (500.0, 5.0, 995.0)


def test_channels_of_other_patients_are_refused_and_far_ones_told(tmp_path: Path) -> None:
    cohort = write_pet_ct(tmp_path)
    path = Path(cohort.cases[0].channels["pet"].path)
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine + np.eye(4)[0][:, None] * [0, 0, 0, 900]), path)
    said = measure_case(cohort, cohort.cases[0]).said
    assert [item.code for item in said if isinstance(item, Finding)] == ["channels-apart"]
    channels = {}
    for name in ("ct", "pet"):
        write_series(tmp_path / name, make_grid())
        change(tmp_path / name, lambda dataset, _, name=name: setattr(dataset, "PatientID", name))
        channels[name] = Channel(path=str(tmp_path / name))
    mask = nib.Nifti1Image(np.ones((12, 10, 6), np.uint8), read_volume(tmp_path / "ct").grid.affine)
    nib.save(mask, tmp_path / "mask.nii.gz")
    source = LabelSource(path=str(tmp_path / "mask.nii.gz"))
    with pytest.raises(InputError, match="case x: its ct is of the patient ct, its pet of the patient pet"):
        measure_case(cohort, Case(id="x", patient="x", channels=channels, label=source))
