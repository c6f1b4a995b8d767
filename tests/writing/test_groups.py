from pathlib import Path

import highdicom
import numpy as np
import pytest
from dicoms import make_grid, write_series
from pydicom.sr.codedict import codes

from medunet.labels import LabelTable, Mask, Region
from medunet.measures import Channel, Measures, measure_mask
from medunet.reading import find_image, read_volume
from medunet.testing.faults import FAULTS
from medunet.writing import groups
from medunet.writing.groups import Groups, Slices
from medunet.writing.sources import find_files
from medunet.writing.sr import REPORT

TABLE = LabelTable.from_names(["liver", "GTV_1", "spleen"])


def find_slices(folder: Path) -> Slices:
    return Slices(*find_files(find_image(folder), REPORT))


def measure(folder: Path, unit: str = "HU", table: LabelTable = TABLE) -> Measures:
    """Two boxes of the second label."""
    volume = read_volume(folder)
    voxels = np.zeros(volume.grid.shape, np.uint8)
    voxels[1:4, 2:5, 1:3] = 2
    voxels[7, 7, 4] = 2
    mask = Mask("classes", voxels, volume.grid, table)
    return measure_mask(mask, [Channel("ct", unit, volume.voxels, volume.grid)])


@pytest.fixture
def series(tmp_path: Path) -> Path:
    write_series(tmp_path / "series", make_grid())
    return tmp_path / "series"


def test_the_nearest_slice_is_that_of_its_plane(series: Path) -> None:
    slices = find_slices(series)
    for header, dataset in zip(slices.headers, slices.datasets, strict=True):
        across = 7 * header.orientation[0] + 1.4 * np.cross(*header.orientation)
        found = slices.find_nearest(header.position + across)
        assert found["referenced_sop_instance_uid"] == dataset.SOPInstanceUID
        assert found["referenced_frame_numbers"] is None


def test_the_nearest_frame_has_a_number(tmp_path: Path) -> None:
    next(fault for fault in FAULTS if fault.code == "76").make("oblique").write(tmp_path)
    slices = find_slices(tmp_path)
    found = slices.find_nearest(slices.headers[3].position)
    assert found["referenced_sop_instance_uid"] == slices.datasets[0].SOPInstanceUID
    assert found["referenced_frame_numbers"] == [4]


def test_a_group_for_each_structure_and_lesion(series: Path) -> None:
    slices, measures = find_slices(series), measure(series)
    liver, tumor, first, second, spleen = Groups(highdicom, TABLE.labels, {"ct": slices}, None).list_groups(measures)
    named = [item.tracking_identifier for item in (liver, tumor, first, second, spleen)]
    assert named == ["liver", "GTV_1", "GTV_1 1", "GTV_1 2", "spleen"]
    assert len({item.tracking_uid for item in (liver, tumor, first, second, spleen)}) == 5
    assert [item.finding_type.meaning for item in (liver, first)] == ["Liver", "Neoplasm"]
    found = [item.get_qualitative_evaluations(codes.DCM.PresenceOfProperty)[0].value for item in (liver, tumor)]
    assert found == [codes.SCT.Absent, codes.SCT.Present]
    assert [item.value for item in liver.get_measurements()] == [0, 0]
    (count,) = tumor.get_measurements(codes.SCT.NumberOfLesions)
    assert (count.value, count.unit.value) == (2, "{lesions}")
    lesion = measures.structures[1].lesions[1]
    (axis,) = second.get_measurements(codes.SCT.LongAxis)
    assert (axis.value, axis.unit.value) == (lesion.longest_diameter, "mm")
    values = second.get_measurements(codes.DCM.AttenuationCoefficient)
    assert {item.unit.value for item in values} == {"[hnsf'U]"}
    derived = {item.derivation.meaning: item.value for item in values}
    assert derived["Mean"] == lesion.values["ct"].mean
    assert derived["95th percentile"] == lesion.values["ct"].p95
    assert len(derived) == 9


def test_the_side_of_an_organ_is_that_of_its_site(series: Path) -> None:
    table = LabelTable.from_names(["Kidney_L", "Kidney_R", "tumor left"])
    made = Groups(highdicom, table.labels, {"ct": find_slices(series)}, None).list_groups(measure(series, table=table))
    sites = {group.tracking_identifier: group.finding_sites for group in made}
    assert [site.laterality.meaning for site in sites["Kidney_L"]] == ["Left"]
    assert [(site.value.meaning, site.laterality.meaning) for site in sites["Kidney_R 1"]] == [("Kidney", "Right")]
    assert sites["tumor left"] == []


def test_a_lesion_lies_at_its_centre_on_the_nearest_slice(series: Path) -> None:
    slices = find_slices(series)
    *_, lesion, _ = Groups(highdicom, TABLE.labels, {"ct": slices}, None).list_groups(measure(series))
    points = [item for item in lesion[0].ContentSequence if item.ValueType == "SCOORD3D"]
    (point,) = points
    header = slices.headers[4]
    along = 7 * header.spacing[1] * header.orientation[0] + 7 * header.spacing[0] * header.orientation[1]
    assert np.allclose(point.GraphicData, header.position + along, atol=1e-3), "voxel (7, 7, 4) in LPS"
    assert point.ReferencedFrameOfReferenceUID == slices.datasets[0].FrameOfReferenceUID
    images = [item.ReferencedSOPSequence[0] for item in lesion[0].ContentSequence if item.ValueType == "IMAGE"]
    assert [item.ReferencedSOPInstanceUID for item in images] == [slices.datasets[4].SOPInstanceUID]


def test_a_region_of_several_labels_is_no_segment(series: Path) -> None:
    table = TABLE.model_copy(update={"regions": (Region(name="all tumor", values=(1, 2), value=1),)})
    slices = find_slices(series)
    segmentation = highdicom.base.Dataset()
    made = Groups(highdicom, TABLE.labels, {"ct": slices}, segmentation).list_groups(measure(series, table=table))
    whole = next(made)
    assert type(whole) is highdicom.sr.MeasurementsAndQualitativeEvaluations
    assert (whole.tracking_identifier, whole.finding_type.meaning) == ("all tumor", "Neoplasm")


@pytest.mark.parametrize(
    ("unit", "kind", "written"),
    [
        ("SUVbw", "SUVbw", "g/ml{SUVbw}"),
        ("BQML", "Nuclear Medicine Tomographic Activity", "Bq/ml"),
        ("CNTS", "Value in CNTS", "1"),
        ("", "Value", "1"),
    ],
)
def test_values_have_the_codes_of_their_unit(series: Path, unit: str, kind: str, written: str) -> None:
    *_, lesion, _ = Groups(highdicom, TABLE.labels, {"ct": find_slices(series)}, None).list_groups(
        measure(series, unit)
    )
    found = {(item.name.meaning, item.unit.value) for item in lesion.get_measurements()}
    assert (kind, written) in found


def test_values_of_an_mr_are_signals(series: Path) -> None:
    slices = find_slices(series)
    for dataset in slices.datasets:
        dataset.Modality = "MR"
    *_, lesion, _ = Groups(highdicom, TABLE.labels, {"ct": slices}, None).list_groups(measure(series, ""))
    assert len(lesion.get_measurements(codes.DCM.MRSignalIntensity)) == 9


def test_the_largest_lesions_have_a_group(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MOST_LESIONS", 1)
    made = list(Groups(highdicom, TABLE.labels, {"ct": find_slices(series)}, None).list_groups(measure(series)))
    assert [item.tracking_identifier for item in made] == ["liver", "GTV_1", "GTV_1 1", "spleen"]
