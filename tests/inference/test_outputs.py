import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import medunet
from medunet.bundle import make_recipe, open_bundle
from medunet.errors import ExtraError, InputError, OutputExistsError, ResourceError, SeriesError
from medunet.inference import find_scan, open_predictor, plan_outputs, write_outputs
from medunet.labels import Mask
from medunet.reading import read_segmentation

BOTH = ("nifti", "seg")


def test_both_formats_hold_one_mask(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    (made,) = medunet.predict(trained, patients[0], output=tmp_path, formats=BOTH)
    name = patients[0].name
    assert made.files == {"nifti": tmp_path / f"{name}.nii.gz", "seg": tmp_path / f"{name}.seg.dcm"}
    assert made.mask.voxels.any()
    code = made.mask.table.labels[0].code
    assert code is not None, "the plan holds the coded terms"
    assert code.meaning == "Lesion"
    read = read_segmentation(made.files["seg"], made.mask.grid, made.mask.table)
    assert np.array_equal(read.voxels, made.mask.voxels)
    assert np.array_equal(np.asarray(nib.load(made.files["nifti"]).dataobj), made.mask.voxels)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}{end}" for end in (".json", ".nii.gz", ".seg.dcm")
    )


def test_what_can_not_be_written_is_refused_first(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(open_bundle(trained))
    scan = find_scan(patients[0], recipe.task)
    with pytest.raises(InputError, match="--format segg: there is no such format; did you mean 'seg'"):
        plan_outputs(recipe, scan, tmp_path, ("segg",))
    medunet.predict(trained, patients[0], output=tmp_path)
    nifti = tmp_path / f"{patients[0].name}.nii.gz"
    with pytest.raises(SeriesError, match="it is a file, and a DICOM SEG refers to a DICOM series"):
        medunet.predict(trained, nifti, output=tmp_path / "out", formats=BOTH)
    with pytest.raises(OutputExistsError, match=r"nii\.gz: it exists already"):
        plan_outputs(recipe, scan, tmp_path, BOTH)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(ExtraError, match="medunet\\[dicom\\]"):
        plan_outputs(recipe, scan, tmp_path / "out", ("seg",))
    assert not (tmp_path / "out").exists()


def test_nothing_found_is_an_empty_segmentation_or_none(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    predictor = open_predictor(open_bundle(trained))
    scan = find_scan(patients[0], predictor.recipe.task)
    (made,) = medunet.predict(trained, patients[0])
    empty = Mask("classes", np.zeros_like(made.mask.voxels), made.mask.grid, made.mask.table)
    for empty_seg, formats in ((True, ["nifti", "seg"]), (False, ["nifti"])):
        planned = plan_outputs(predictor.recipe, scan, tmp_path / str(empty_seg), BOTH, empty_seg)
        assert list(write_outputs(planned, empty, predictor, 0.0)) == formats
        assert len(list((tmp_path / str(empty_seg)).iterdir())) == len(formats) + 1


def test_one_format_that_fails_leaves_none(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SEG fails after the NIfTI is written; that the slices vanish while the network works makes nothing fail."""
    predictor = open_predictor(open_bundle(trained))
    series = Path(shutil.copytree(patients[0], tmp_path / "p"))
    scan = find_scan(series, predictor.recipe.task)
    planned = plan_outputs(predictor.recipe, scan, tmp_path / "out", BOTH)
    (made,) = medunet.predict(trained, series)
    shutil.rmtree(series)

    def fill_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ResourceError, match="can't be written"):
        patch.setattr("medunet.inference.outputs.write_segmentation", fill_disk)
        write_outputs(planned, made.mask, predictor, 0.0)
    assert list((tmp_path / "out").iterdir()) == []
    assert list(write_outputs(planned, made.mask, predictor, 0.0)) == ["nifti", "seg"]
