import csv
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from PIL import Image
from pydicom import Dataset

from medunet import export_cohort
from medunet.cohort import (
    Case,
    Channel,
    Cohort,
    LabelSource,
    find_cohort,
    find_folds,
    read_channel,
    read_label,
    write_cohort,
)
from medunet.errors import InputError, LabelError, OutputExistsError
from medunet.geometry import Grid, measure_displacement
from medunet.labels import LabelTable, Region
from medunet.preparation import resample_image
from medunet.reading import read_volume

RNG = np.random.default_rng(0)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, 1)
    image.set_qform(None, 0)
    nib.save(image, path)
    return str(path)


def make_case(folder: Path, patient: str, name: str, grid: Grid, extra: dict[str, Grid]) -> Case:
    """A CT in DICOM, the extra channels and a label of two values in NIfTI."""
    where = folder / name
    write_series(where / "CT", grid)
    channels = {"ct": Channel(path=str(where / "CT"))}
    for channel, own in extra.items():
        voxels = RNG.normal(5, 2, own.shape).astype(np.float32)
        channels[channel] = Channel(path=save(where / f"{channel}.nii.gz", voxels, own.affine))
    label = save(where / "label.nii.gz", RNG.integers(0, 3, grid.shape).astype(np.uint8), grid.affine)
    return Case(id=name, patient=patient, channels=channels, label=LabelSource(path=label))


def make(folder: Path, modalities: dict[str, str], grids: dict[str, Grid]) -> Path:
    """Three patients, of whom the last has two studies and the second no label, with folds."""
    grid = make_grid()
    cases = [
        make_case(folder, patient, name, grid, grids)
        for patient, name in zip("ABCC", ("a.1", "b", "ü 1", "c2"), strict=True)
    ]
    cases[1] = cases[1].model_copy(update={"label": None})
    cohort = Cohort(
        channels=tuple(modalities),
        modalities=modalities,
        labels=LabelTable.from_names(["tumor", "node"]),
        cases=tuple(cases),
        folds=(("A", "B"), ("C",)),
    )
    write_cohort(folder / "cohort.json", cohort)
    return folder / "cohort.json"


def check_same(ours: Cohort, theirs: Cohort) -> None:
    """Labels and the first channel of all labelled cases came back, voxel by voxel and on their grids."""
    labelled = {case.id: case for case in ours.cases if case.label}
    assert {case.id: case.patient for case in theirs.cases} == {name: case.patient for name, case in labelled.items()}
    for case in theirs.cases:
        before, after = read_channel(labelled[case.id], ours.channels[0]), read_channel(case, theirs.channels[0])
        assert np.array_equal(before.voxels, after.voxels)
        assert before.voxels.dtype == after.voxels.dtype
        assert measure_displacement(before.grid, after.grid) < 1e-4
        masks = read_label(ours, labelled[case.id], before.grid), read_label(theirs, case, after.grid)
        assert np.array_equal(masks[0].voxels, masks[1].voxels)


@pytest.mark.parametrize("layout", ["nnunet", "msd"])
def test_what_is_exported_is_found_again(tmp_path: Path, layout: str, caplog: pytest.LogCaptureFixture) -> None:
    path = make(tmp_path / "own", {"ct": "CT"}, {})
    out = tmp_path / "Dataset001_x"
    returned = export_cohort(path, out, layout)
    own, found = find_cohort(path), find_cohort(out)
    assert returned == found
    check_same(own, found)
    assert found.modalities == {"ct": "CT"}
    assert found.labels.names == ("tumor", "node")
    assert find_folds(found, out).folds == (("A",), ("C",))
    assert "b: it has no label, so its images go to imagesTs" in caplog.text
    image = "b_0000.nii.gz" if layout == "nnunet" else "b.nii.gz"
    assert [item.name for item in (out / "imagesTs").iterdir()] == [image]
    content = json.loads((out / "dataset.json").read_text())
    if layout == "nnunet":
        assert content == {
            "channel_names": {"0": "CT"},
            "labels": {"background": 0, "tumor": 1, "node": 2},
            "numTraining": 3,
            "file_ending": ".nii.gz",
        }
    else:
        assert content["modality"] == {"0": "CT"}
        assert content["labels"] == {"0": "background", "1": "tumor", "2": "node"}
        assert (content["numTraining"], content["numTest"], content["test"]) == (3, 1, ["./imagesTs/b.nii.gz"])
    splits = json.loads((out / "splits_final.json").read_text())
    assert splits[0] == {"train": ["ü 1", "c2"], "val": ["a.1"]}
    with (out / "cases.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[1] == {"id": "b", "patient": "B", "ct": f"imagesTs/{image}", "label": ""}
    assert [case.patient for case in find_cohort(out / "cases.csv").cases] == list("ABCC")
    with pytest.raises(OutputExistsError, match="exists already"):
        export_cohort(path, out, layout)


def test_nnunet_gets_one_grid_and_the_name_by_which_it_knows_ct(tmp_path: Path) -> None:
    grid = make_grid()
    coarse = Grid((7, 6, 4), grid.affine @ np.diag([2.0, 2, 2, 1]))
    modalities = {"ct": "CT", "fdg": "PT", "t1": "MR", "zscore": "MR"}
    path = make(tmp_path / "own", modalities, {"fdg": coarse, "t1": grid, "zscore": grid})
    found = export_cohort(path, tmp_path / "out", "nnunet")
    content = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert list(content["channel_names"].values()) == ["CT", "PET", "t1", "MR zscore"]
    assert found.modalities == {"ct": "CT", "pet": "PT", "t1": "MR", "mr_zscore": "MR"}
    own = find_cohort(path)
    check_same(own, found)
    kept, resampled = (read_channel(found.cases[0], name) for name in ("t1", "pet"))
    assert np.array_equal(kept.voxels, read_channel(own.cases[0], "t1").voxels)
    before = read_channel(own.cases[0], "fdg")
    assert np.array_equal(resampled.voxels, resample_image(before.voxels, before.grid.affine, grid))
    # Every second voxel of the fine grid lies on one of the coarse grid.
    assert np.allclose(resampled.voxels[:, ::2, ::2, ::2], before.voxels[:, :6, :5, :3], atol=1e-4)
    assert measure_displacement(resampled.grid, kept.grid) == 0


def test_the_decathlon_gets_one_file_for_channels_of_one_kind(tmp_path: Path) -> None:
    path = make(tmp_path / "own", {"t1": "MR", "t2": "MR"}, {"t1": make_grid(), "t2": make_grid()})
    content = json.loads(path.read_text())
    for case in content["cases"]:
        del case["channels"]["ct"]
    path.write_text(json.dumps(content))
    found = export_cohort(path, tmp_path / "out", "msd")
    own = find_cohort(path)
    both = [read_channel(own.cases[0], name).voxels[0] for name in ("t1", "t2")]
    assert np.array_equal(read_channel(found.cases[0], "image").voxels, both)
    # nnU-Net has a file for each component instead.
    again = export_cohort(tmp_path / "out", tmp_path / "nn", "nnunet")
    assert again.channels == ("image_0", "image_1")
    assert np.array_equal(read_channel(again.cases[0], "image_1").voxels[0], both[1])
    mixed = make(tmp_path / "mixed", {"ct": "CT", "pet": "PT"}, {"pet": make_grid()})
    with pytest.raises(InputError, match="its channels are CT, PT, which would share one file"):
        export_cohort(mixed, tmp_path / "x", "msd")
    assert not (tmp_path / "x").exists()


def test_pictures_keep_their_pixels(tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / "own" / name).mkdir(parents=True)
    for name in "ab":
        Image.fromarray(RNG.integers(0, 256, (6, 9, 3)).astype(np.uint8)).save(
            tmp_path / "own" / "images" / f"{name}.png"
        )
        Image.fromarray(RNG.integers(0, 90, (6, 9)).astype(np.uint8)).save(tmp_path / "own" / "labels" / f"{name}.png")
    found = export_cohort(tmp_path / "own", tmp_path / "out", "nnunet")
    own = find_cohort(tmp_path / "own")
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["file_ending"] == ".png"
    volume = read_channel(own.cases[1], "image")
    for component, name in enumerate(found.channels):
        assert np.array_equal(read_channel(found.cases[1], name).voxels[0], volume.voxels[component])
    masks = read_label(own, own.cases[1], volume.grid), read_label(found, found.cases[1], volume.grid)
    assert np.array_equal(masks[0].voxels > 0, masks[1].voxels > 0)
    with pytest.raises(InputError, match="it is a picture"):
        export_cohort(tmp_path / "own", tmp_path / "x", "msd")
    assert not (tmp_path / "x").exists()


def test_one_slice_and_a_sheared_grid_stay_what_they_are(tmp_path: Path) -> None:
    affine = np.array([[1, 0, 0, 0], [0, 1, 0.4, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])
    cases = []
    for name, depth in (("slice", 1), ("tilted", 4)):
        image = save(tmp_path / f"{name}.nii.gz", RNG.integers(0, 99, (6, 5, depth)).astype(np.int16), affine)
        label = save(tmp_path / f"{name}-label.nii.gz", np.ones((6, 5, depth), np.uint8), affine)
        cases.append(Case(id=name, patient=name, channels={"mr": Channel(path=image)}, label=LabelSource(path=label)))
    cohort = Cohort(channels=("mr",), modalities={"mr": "MR"}, labels=LabelTable.from_names(["x"]), cases=tuple(cases))
    write_cohort(tmp_path / "cohort.json", cohort)
    for layout in ("nnunet", "msd"):
        check_same(cohort, export_cohort(tmp_path / "cohort.json", tmp_path / layout, layout))
    content = json.loads((tmp_path / "nnunet" / "dataset.json").read_text())
    assert content["overwrite_image_reader_writer"] == "NibabelIO"


Change = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"labels": LabelTable.from_names(["tumor", "ignore"])}, LabelError, "means something else in a dataset.json"),
        ({"labels": LabelTable.from_names(["tumor"])}, LabelError, "hold values that the label table lacks: 2"),
        ({"folds": (("A",), ("B",))}, InputError, "fold 1 holds out none of the patients with labels"),
    ],
)
def test_what_the_layout_can_not_hold_is_refused(tmp_path: Path, change: Change, kind: type, words: str) -> None:
    path = make(tmp_path / "own", {"ct": "CT"}, {})
    write_cohort(path, find_cohort(path).model_copy(update=change))
    with pytest.raises(kind, match=words):
        export_cohort(path, tmp_path / "out", "nnunet")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["own"]


def test_regions_and_what_is_ignored_come_back(tmp_path: Path) -> None:
    path = make(tmp_path / "own", {"ct": "CT"}, {})
    regions = (Region(name="both", values=(1, 2), value=1), Region(name="node", values=(2,), value=2))
    table = LabelTable.from_names(["tumor", "node"]).model_copy(update={"regions": regions, "ignore": 9})
    cohort = find_cohort(path).model_copy(update={"labels": table})
    own = cohort.cases[0]
    assert own.label is not None
    image = nib.load(own.label.path)
    voxels = np.asarray(image.dataobj).copy()
    voxels[:2] = 9
    save(Path(own.label.path), voxels, image.affine)
    write_cohort(path, cohort)
    found = export_cohort(path, tmp_path / "out", "nnunet")
    content = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert content["labels"] == {"background": 0, "both": [1, 2], "node": [2], "ignore": 3}
    assert content["regions_class_order"] == [1, 2]
    assert (found.labels.regions, found.labels.ignore) == (regions, 3)
    mask = read_label(found, found.cases[0], read_channel(found.cases[0], "ct").grid)
    assert np.array_equal(mask.voxels, np.where(voxels == 9, 3, voxels))
    with pytest.raises(InputError, match="regions or a value to ignore, which it can't hold"):
        export_cohort(path, tmp_path / "x", "msd")


def test_odd_requests_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "own", {"ct": "CT"}, {})
    with pytest.raises(InputError, match="did you mean 'nnunet'"):
        export_cohort(path, tmp_path / "out", "nnUNet")
    cohort = find_cohort(path)
    write_cohort(path, cohort.model_copy(update={"cases": cohort.cases[1:2], "folds": None}))
    with pytest.raises(LabelError, match="none of its cases has a label"):
        export_cohort(path, tmp_path / "out", "nnunet")
    other = save(tmp_path / "other.nii.gz", RNG.normal(size=(12, 10, 6, 2)).astype(np.float32), make_grid().affine)
    odd = cohort.cases[2].model_copy(update={"channels": {"ct": Channel(path=other)}})
    write_cohort(path, cohort.model_copy(update={"cases": (cohort.cases[0], odd), "folds": None}))
    with pytest.raises(InputError, match=r"case ü 1: its images are CT, CT \(expected CT in HU, as of a.1\)"):
        export_cohort(path, tmp_path / "out", "nnunet")


def test_nnunet_is_told_what_its_folder_must_be_called(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    export_cohort(make(tmp_path / "own", {"ct": "CT"}, {}), tmp_path / "out", "nnunet")
    assert "called like Dataset001_out" in caplog.text
    assert read_volume(tmp_path / "out" / "imagesTr" / "a.1_0000.nii.gz").source.notes == ()


def test_cases_in_other_units_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "own", {"ct": "CT"}, {})

    def to_pet(dataset: Dataset, _: int, units: str) -> None:
        dataset.Modality, dataset.Units = "PT", units

    for name, units in (("a.1", "GML"), ("c2", "BQML")):
        change(tmp_path / "own" / name / "CT", partial(to_pet, units=units))
    content = json.loads(path.read_text())
    content["cases"] = [content["cases"][0], content["cases"][3]]
    path.write_text(json.dumps(content | {"modalities": {"ct": "PT"}, "folds": None}))
    with pytest.raises(InputError, match=r"case c2: its images are PET in BQML \(expected PET in GML, as of a.1\)"):
        export_cohort(path, tmp_path / "out", "nnunet")
