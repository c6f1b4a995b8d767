import subprocess
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import pytest
from dicoms import (
    CHARACTER_SETS,
    change,
    draw_balls,
    make_grid,
    make_pet,
    name_patient,
    refuse_another_reading,
    write_series,
)
from judges import find_errors, needs_judges, read_report_by_dcmqi
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from medunet.errors import SeriesError
from medunet.labels import LabelTable, Mask
from medunet.reading import find_image, read_volume
from medunet.testing.faults import FAULTS
from medunet.writing import Algorithm, Result, sr
from medunet.writing.formats import FORMATS

SHARED = Path(__file__).parents[3] / "shared" / "data"
ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)
TABLE = LabelTable.from_names(["liver", "GTV_1", "spleen"])


def make_result(series: Path, table: LabelTable = TABLE, *, radius_mm: float = 3.2) -> Result:
    """Two of three labels, the second in two parts."""
    grid, image = read_volume(series).grid, find_image(series)
    voxels = draw_balls(grid, table.names[:2], radius_mm).voxels
    voxels[0, 0, 0] = 2
    return Result(Mask("classes", voxels, grid, table), image, ALGORITHM, {"ct": image})


def write(result: Result, folder: Path, *, seg: bool = True) -> Path:
    if seg:
        result.files["seg"] = folder / "m.seg.dcm"
        FORMATS["seg"].write(result, folder / "m.seg.dcm")
    FORMATS["sr"].write(result, folder / "m.sr.dcm")
    return folder / "m.sr.dcm"


@needs_judges
@pytest.mark.parametrize("seg", [True, False], ids=["seg", "alone"])
@pytest.mark.parametrize("orientation", ["axial", "oblique"])
def test_judges_read_what_was_measured(tmp_path: Path, orientation: str, seg: bool) -> None:
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    result = make_result(tmp_path / "series")
    path = write(result, tmp_path, seg=seg)
    assert find_errors(path) == set()
    read = {item["TrackingIdentifier"]: item for item in read_report_by_dcmqi(path, tmp_path / "out.json")}
    assert [*read] == ["liver", "liver 1", "GTV_1", "GTV_1 1", "GTV_1 2", "spleen"]
    for structure in result.measures.structures:
        items = read[structure.name]["measurementItems"]
        numbers = {item["quantity"]["CodeMeaning"]: float(item["value"]) for item in items}
        assert numbers["Volume"] == (structure.whole.volume if structure.whole else 0)
        for lesion in structure.lesions:
            items = read[f"{structure.name} {lesion.number}"]["measurementItems"]
            numbers = {
                (item["quantity"]["CodeMeaning"], item.get("derivationModifier", {}).get("CodeMeaning")): item
                for item in items
            }
            assert float(numbers["Volume", None]["value"]) == lesion.volume
            assert float(numbers["Diameter", "Maximum"]["value"]) == lesion.spatial_diameter
            mean = numbers["Attenuation Coefficient", "Mean"]
            assert (float(mean["value"]), mean["units"]["CodeValue"]) == (lesion.values["ct"].mean, "[hnsf'U]")
    if seg:
        segments = dcmread(tmp_path / "m.seg.dcm").SegmentSequence
        assert [item.TrackingUID for item in segments] == [
            read[name]["TrackingUniqueIdentifier"] for name in TABLE.names
        ]
        assert [read[name]["ReferencedSegment"] for name in TABLE.names] == [1, 2, 3]


@needs_judges
def test_judges_read_the_side_of_an_organ(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid("oblique", (21, 17, 9)))
    table = LabelTable.from_names(["RightParotid", "LeftParotid", "GTV"])
    path = write(make_result(tmp_path / "series", table), tmp_path)
    assert find_errors(path) == set()
    read = {item["TrackingIdentifier"]: item for item in read_report_by_dcmqi(path, tmp_path / "out.json")}
    sides = {name: read[name]["Laterality"]["CodeMeaning"] for name in ("RightParotid", "LeftParotid 1")}
    assert sides == {"RightParotid": "Right", "LeftParotid 1": "Left"}
    assert read["RightParotid"]["FindingSite"]["CodeValue"] == "45289007"
    assert "Laterality" not in read["GTV"]


@needs_judges
@pytest.mark.parametrize("seg", [True, False], ids=["seg", "alone"])
def test_nothing_found_is_a_report(tmp_path: Path, seg: bool) -> None:
    write_series(tmp_path / "series", make_grid())
    result = make_result(tmp_path / "series")
    result.mask.voxels[:] = 0
    path = write(result, tmp_path, seg=seg)
    assert find_errors(path) == set()
    assert len(read_report_by_dcmqi(path, tmp_path / "out.json")) == 3
    for group in highdicom.sr.srread(path).content._find_measurement_groups():
        assert codes.SCT.Absent in [item.value for item in group.ContentSequence if item.ValueType == "CODE"]


def test_it_refers_to_the_segmentation_and_the_series(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid())
    path = write(make_result(tmp_path / "series"), tmp_path)
    read, seg = highdicom.sr.srread(path), dcmread(tmp_path / "m.seg.dcm")
    source = [dcmread(file) for file in sorted((tmp_path / "series").iterdir())]
    for name in ("PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyDate"):
        assert read[name].value == source[0][name].value
    uids = {uid for _, _, uid, _ in read.get_evidence()}
    assert uids == {seg.SOPInstanceUID, *(item.SOPInstanceUID for item in source)}
    for segment in seg.SegmentSequence:
        (group,) = read.content.get_volumetric_roi_measurement_groups(tracking_uid=segment.TrackingUID)
        item = next(item for item in group[0].ContentSequence if item.name == codes.DCM.ReferencedSegment)
        assert item.referenced_sop_instance_uid == seg.SOPInstanceUID
        assert item.referenced_segment_numbers == [segment.SegmentNumber]
        assert group.tracking_identifier == segment.TrackingID == segment.SegmentLabel
    assert (read.CompletionFlag, read.VerificationFlag, read.PreliminaryFlag) == (
        *("COMPLETE", "UNVERIFIED", "PRELIMINARY"),
    )


def test_a_device_of_these_weights_has_observed(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid())
    path = write(make_result(tmp_path / "series"), tmp_path)
    (observer,) = highdicom.sr.srread(path).content.get_observer_contexts()
    device = observer.observer_identifying_attributes
    assert (device.uid, device.name) == (ALGORITHM.device_uid, "ball finder")
    for file in (path, tmp_path / "m.seg.dcm"):
        items = dcmread(file).ContributingEquipmentSequence
        (own,) = (item for item in items if "DeviceUID" in item)
        assert own.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert (own.Manufacturer, own.ManufacturerModelName) == ("medunet", "ball finder")
        assert own.SoftwareVersions[0] == "1.2.3"
        assert own.DeviceUID == ALGORITHM.device_uid


@needs_judges
def test_values_of_two_channels_have_their_units(tmp_path: Path) -> None:
    """The PET has coarser slices, which are named where they are nearest."""
    write_series(tmp_path / "ct", make_grid("axial", (21, 17, 9)))
    write_series(tmp_path / "pet", make_grid("axial", (12, 10, 6)))

    def edit(dataset: Dataset, k: int) -> None:
        make_pet(dataset).RescaleIntercept = 0
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.128"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k}"
        dataset.SeriesInstanceUID = "1.2.3"

    change(tmp_path / "pet", edit)
    ct = make_result(tmp_path / "ct")
    pet = find_image(tmp_path / "pet")
    result = Result(ct.mask, ct.origin, ALGORITHM, {"ct": ct.origin, "pet": pet})
    path = write(result, tmp_path)
    assert find_errors(path) == set()
    read = {item["TrackingIdentifier"]: item for item in read_report_by_dcmqi(path, tmp_path / "out.json")}
    means = {
        item["units"]["CodeValue"]: (item["quantity"]["CodeMeaning"], float(item["value"]))
        for item in read["liver 1"]["measurementItems"]
        if item.get("derivationModifier", {}).get("CodeMeaning") == "Mean"
    }
    values = result.measures.structures[0].lesions[0].values
    assert means == {
        "[hnsf'U]": ("Attenuation Coefficient", values["ct"].mean),
        "g/ml{SUVbw}": ("SUVbw", values["pet"].mean),
    }
    evidence = {uid for _, _, uid, _ in highdicom.sr.srread(path).get_evidence()}
    assert {dcmread(file).SOPInstanceUID for file in (tmp_path / "pet").iterdir()} <= evidence


@needs_judges
@pytest.mark.parametrize(("named", "patient", "labels"), CHARACTER_SETS)
def test_names_in_four_character_sets(tmp_path: Path, named: str, patient: str, labels: list[str]) -> None:
    write_series(tmp_path / "series", make_grid())
    name_patient(tmp_path / "series", named, patient)
    path = write(make_result(tmp_path / "series", LabelTable.from_names(labels)), tmp_path)
    assert find_errors(path) - find_errors(tmp_path / "series" / "0001.dcm") == set()
    assert str(dcmread(path).PatientName) == patient
    assert read_report_by_dcmqi(path, tmp_path / "out.json")[0]["TrackingIdentifier"] == labels[0]


@needs_judges
def test_frames_of_an_enhanced_image_are_referred_to(tmp_path: Path) -> None:
    next(fault for fault in FAULTS if fault.code == "76").make("oblique").write(tmp_path / "series")
    (source,) = (tmp_path / "series").iterdir()
    result = make_result(tmp_path / "series")
    FORMATS["sr"].check(result.origin, TABLE, ALGORITHM)
    path = write(result, tmp_path)
    assert find_errors(path) - find_errors(source) == set()
    assert len(read_report_by_dcmqi(path, tmp_path / "out.json")) == 6
    evidence = {uid for _, _, uid, _ in highdicom.sr.srread(path).get_evidence()}
    assert evidence == {dcmread(file).SOPInstanceUID for file in (source, tmp_path / "m.seg.dcm")}


def test_a_segmentation_without_tracking_is_referred_to_all_the_same(tmp_path: Path) -> None:
    """Those of earlier versions have none."""
    write_series(tmp_path / "series", make_grid())
    result = make_result(tmp_path / "series")
    write(result, tmp_path)
    seg = dcmread(tmp_path / "m.seg.dcm")
    for segment in seg.SegmentSequence:
        del segment.TrackingUID, segment.TrackingID
    seg.save_as(tmp_path / "m.seg.dcm")
    FORMATS["sr"].write(result, tmp_path / "m.sr.dcm")
    groups = highdicom.sr.srread(tmp_path / "m.sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == [*TABLE.names]


def test_a_channel_in_a_file_is_measured_without_a_reference(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid())
    ct = make_result(tmp_path / "series")
    nib.save(nib.Nifti1Image(np.ones(ct.mask.grid.shape, np.float32), ct.mask.grid.affine), tmp_path / "b.nii.gz")
    images = {"ct": ct.origin, "b": find_image(tmp_path / "b.nii.gz")}
    path = write(Result(ct.mask, ct.origin, ALGORITHM, images), tmp_path)
    assert ("Value", "1", "1.0") in sr.list_numbers(dcmread(path))


def test_what_can_not_be_reported_is_refused_before(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid())
    FORMATS["sr"].check(find_image(tmp_path / "series"), TABLE, ALGORITHM)
    grid = make_grid("axial")
    nib.save(nib.Nifti1Image(np.zeros(grid.shape, np.float32), grid.affine), tmp_path / "a.nii.gz")
    with pytest.raises(SeriesError, match="it is a file, and a DICOM SR refers to a DICOM series; give the folder"):
        FORMATS["sr"].check(find_image(tmp_path / "a.nii.gz"), TABLE, ALGORITHM)
    change(tmp_path / "series", lambda dataset, _: delattr(dataset, "FrameOfReferenceUID"))
    with pytest.raises(SeriesError, match="its header has no FrameOfReferenceUID"):
        FORMATS["sr"].check(find_image(tmp_path / "series"), TABLE, ALGORITHM)


def test_what_reads_back_otherwise_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "series", make_grid())
    result, empty = make_result(tmp_path / "series"), Dataset()
    monkeypatch.setattr(sr, "dcmread", lambda *_, **__: empty)
    refuse_another_reading("sr", result, tmp_path / "m.sr.dcm")


@pytest.mark.data
@needs_judges
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real scans aren't beside the checkout")
def test_judges_on_a_real_study(tmp_path: Path) -> None:
    """PET and CT of a patient, of different grids."""
    subprocess.run(["tar", "-xf", SHARED / "sts/STS_005.tar.xz", "-C", tmp_path], check=True)
    folder = tmp_path / "STS_005"
    ct = make_result(folder / "CT", radius_mm=20.0)
    images = {"ct": ct.origin, "pet": find_image(folder / "PET")}
    path = write(Result(ct.mask, ct.origin, ALGORITHM, images), tmp_path)
    assert find_errors(path) - find_errors(next((folder / "CT").iterdir())) == set()
    units = {
        item["units"]["CodeValue"]
        for group in read_report_by_dcmqi(path, tmp_path / "out.json")
        for item in group["measurementItems"]
    }
    assert units == {"cm3", "mm", "{lesions}", "[hnsf'U]", "g/ml{SUVbw}"}
