import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
import pytest
from highdicom.sr import srread
from pydicom import dcmread
from pydicom.sr.codedict import codes

import medunet
from medunet import Prediction
from medunet.bundle import open_bundle
from medunet.errors import ExtraError, InputError, OutputExistsError, ResourceError, SeriesError
from medunet.inference import Job, PredictionRecord, Wanted, find_scan, finish_job, make_maker, plan_job
from medunet.labels import Mask
from medunet.reading import read_segmentation
from medunet.records import read_record, write_record
from medunet.writing import choose_formats

BOTH = ("nifti", "seg")


def plan(bundle: Path, patient: Path, folder: Path, formats: tuple[str, ...] = BOTH, *, empty: bool = True) -> Job:
    maker = make_maker(open_bundle(bundle))
    scan = find_scan(patient, maker.recipe.task)
    return plan_job(str(patient), scan, Wanted(choose_formats(formats, "mm"), folder, empty=empty), maker)


def test_both_formats_hold_one_mask(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    (made,) = medunet.predict(trained, patients[0], output=tmp_path, formats=BOTH)
    name = patients[0].name
    beside = {"measures": tmp_path / f"{name}.measures.json", "measures-csv": tmp_path / f"{name}.measures.csv"}
    assert made.files == {"nifti": tmp_path / f"{name}.nii.gz", "seg": tmp_path / f"{name}.seg.dcm", **beside}
    mask = made.mask
    assert mask.voxels.any()
    code = mask.table.labels[0].code
    assert code is not None, "the plan holds the coded terms"
    assert code.meaning == "Lesion"
    read = read_segmentation(made.files["seg"], mask.grid, mask.table)
    assert np.array_equal(read.voxels, mask.voxels)
    assert np.array_equal(np.asarray(nib.load(made.files["nifti"]).dataobj), mask.voxels)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}{end}" for end in (".json", ".measures.csv", ".measures.json", ".nii.gz", ".seg.dcm")
    )


def test_what_can_not_be_written_is_refused_first(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="--format segg: there is no such format; did you mean 'seg'"):
        medunet.predict(trained, patients[0], output=tmp_path / "out", formats=("segg",))
    (made,) = medunet.predict(trained, patients[0], output=tmp_path)
    with pytest.raises(SeriesError, match="it is a file, and a DICOM SEG refers to a DICOM series"):
        medunet.predict(trained, made.files["nifti"], output=tmp_path / "out", formats=BOTH)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(ExtraError, match="medunet\\[dicom\\]"):
        plan(trained, patients[0], tmp_path / "out", ("seg",))
    assert not (tmp_path / "out").exists()


def test_what_something_else_has_made_is_refused_by_name(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    (made,) = medunet.predict(trained, patients[0], output=tmp_path)
    nifti, record = made.files["nifti"], tmp_path / f"{patients[0].name}.json"
    known, content = read_record(record, PredictionRecord), nifti.read_bytes()
    edits = {
        "it was made by other weights": {"weights": {"model.pt": "0" * 64}},
        "it was made with other options": {"box": "0:1,0:1,0:1"},
        "it was made of another scan": {"images": {"ct": known.images["ct"].model_copy(update={"sha256": "0" * 64})}},
    }
    for words, changed in edits.items():
        write_record(record, known.model_copy(update=changed))
        with pytest.raises(OutputExistsError, match=rf"nii\.gz: {words}; choose another output, or add --overwrite"):
            medunet.predict(trained, patients[0], output=tmp_path)
    record.unlink()
    with pytest.raises(OutputExistsError, match="it exists already, and no run record tells what made it"):
        medunet.predict(trained, patients[0], output=tmp_path)
    write_record(record, known)
    nifti.write_bytes(content[:-1])
    with pytest.raises(OutputExistsError, match="it was changed since it was predicted"):
        medunet.predict(trained, patients[0], output=tmp_path)
    assert nifti.read_bytes() == content[:-1]
    (again,) = medunet.predict(trained, patients[0], output=tmp_path, overwrite=True)
    assert not again.kept
    assert np.array_equal(again.mask.voxels, made.mask.voxels)
    (kept,) = medunet.predict(trained, patients[0], output=tmp_path, overwrite=True)
    assert kept.kept


def test_a_format_that_is_missing_is_added_and_the_others_stay(
    trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    (made,) = medunet.predict(trained, patients[0], output=tmp_path)
    before = made.files["nifti"].stat().st_mtime_ns
    (more,) = medunet.predict(trained, patients[0], output=tmp_path, formats=BOTH)
    assert not more.kept
    assert more.files["nifti"].stat().st_mtime_ns == before
    assert np.array_equal(
        read_segmentation(more.files["seg"], more.mask.grid, more.mask.table).voxels, made.mask.voxels
    )
    (kept,) = medunet.predict(trained, patients[0], output=tmp_path, formats=BOTH)
    assert kept.kept
    record = read_record(tmp_path / f"{patients[0].name}.json", PredictionRecord)
    assert {name: item.file for name, item in record.outputs.items()} == {
        name: path.name for name, path in kept.files.items()
    }


def test_a_report_refers_to_the_segmentation_that_is_there(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    """Made together, added afterwards, or with a new one in place of one that was removed."""

    def list_referenced(report: Path) -> set[str]:
        return {
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for group in srread(report).content.get_volumetric_roi_measurement_groups()
            for item in group[0].ContentSequence
            if item.name == codes.DCM.ReferencedSegment
        }

    (made,) = medunet.predict(trained, patients[0], output=tmp_path, formats=("sr", "seg"))
    uid = dcmread(made.files["seg"]).SOPInstanceUID
    assert list_referenced(made.files["sr"]) == {uid}
    made.files["sr"].unlink()
    (more,) = medunet.predict(trained, patients[0], output=tmp_path, formats=("seg", "sr"))
    assert dcmread(more.files["seg"]).SOPInstanceUID == uid
    assert list_referenced(more.files["sr"]) == {uid}
    made.files["seg"].unlink()
    (new,) = medunet.predict(trained, patients[0], output=tmp_path, formats=("seg", "sr"))
    assert list_referenced(new.files["sr"]) == {dcmread(new.files["seg"]).SOPInstanceUID} != {uid}
    (kept,) = medunet.predict(trained, patients[0], output=tmp_path, formats=("seg", "sr"))
    assert kept.kept


def test_a_segmentation_of_other_options_is_made_anew(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    """And so is the report that refers to it, asked for or not; the rest stays."""

    def run(frames: Literal["keep", "omit"], *formats: str) -> Prediction:
        (made,) = medunet.predict(trained, patients[0], output=tmp_path, formats=formats, seg_empty_frames=frames)
        return made

    first = run("keep", "nifti", "seg", "sr")
    report, before = first.files["sr"], first.files["nifti"].stat().st_mtime_ns
    uid = dcmread(first.files["seg"]).SOPInstanceUID
    omitted = run("omit", "nifti", "seg")
    assert not omitted.kept
    assert omitted.files["nifti"].stat().st_mtime_ns == before
    written = dcmread(omitted.files["seg"])
    assert written.SOPInstanceUID != uid
    assert written.NumberOfFrames < omitted.mask.grid.shape[2] * len(omitted.mask.table.labels)
    assert [item[2] for item in srread(report).get_evidence()].count(written.SOPInstanceUID) == 1
    record = read_record(tmp_path / f"{patients[0].name}.json", PredictionRecord)
    assert record.outputs["seg"].variant == "seg-empty-frames=omit"
    assert run("omit", "seg", "sr").kept
    again = run("keep", "nifti", "seg", "sr")
    assert not again.kept
    assert dcmread(again.files["seg"]).NumberOfFrames > written.NumberOfFrames
    assert run("keep", "nifti", "seg").kept


def test_what_is_asked_for_beside_the_mask_is_read_by_others(
    trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    formats = ("nifti", "seg-fractional", "probabilities", "sc")
    (made,) = medunet.predict(trained, patients[0], output=tmp_path, formats=formats)
    likely = np.asarray(nib.load(made.files["probabilities"]).dataobj.get_unscaled())
    fractions = dcmread(made.files["seg-fractional"])
    labels = len(made.mask.table.labels)
    planes = fractions.pixel_array.reshape(labels, -1, *fractions.pixel_array.shape[1:])
    assert np.array_equal(planes.transpose(3, 2, 1, 0), likely[..., 1:])
    assert dcmread(made.files["sc"]).NumberOfFrames == made.mask.grid.shape[2]


def test_nothing_found_is_an_empty_segmentation_or_none(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    (made,) = medunet.predict(trained, patients[0])
    empty = Mask("classes", np.zeros_like(made.mask.voxels), made.mask.grid, made.mask.table)
    for keep, formats in ((True, ["nifti", "seg"]), (False, ["nifti"])):
        folder = tmp_path / str(keep)
        done = finish_job(plan(trained, patients[0], folder, empty=keep), empty)
        assert list(done.files) == formats
        assert done.status == "nothing found"
        assert len(list(folder.iterdir())) == len(formats) + 1
        # What may be left out isn't missed when the same is asked for again.
        assert plan(trained, patients[0], folder, empty=keep).earlier is not None


def test_one_format_that_fails_leaves_none(
    trained: Path, patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SEG fails after the NIfTI is written; that the slices vanish while the network works makes nothing fail."""
    series = Path(shutil.copytree(patients[0], tmp_path / "p"))
    job = plan(trained, series, tmp_path / "out")
    (made,) = medunet.predict(trained, series)
    shutil.rmtree(series)

    def fill_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ResourceError, match="can't be written"):
        patch.setattr("medunet.writing.seg.write_segmentation", fill_disk)
        finish_job(job, made.mask)
    assert list((tmp_path / "out").iterdir()) == []
    assert list(finish_job(replace(job, started=0.0), made.mask).files) == ["nifti", "seg"]
