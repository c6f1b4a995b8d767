import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from dicoms import HALF_LIFE, change, make_grid, make_pet, write_series
from pydicom import Dataset, dcmread

from medunet.errors import SeriesError
from medunet.findings import Note
from medunet.reading import ReadOptions, read_volume
from medunet.reading.dicom.suv import find_uptake, parse_time, read_tracer

Edit = Callable[[Dataset], object]


def find_factor(*edits: Edit) -> float:
    pet = make_pet()
    for edit in edits:
        edit(pet)
    return find_uptake([read_tracer(pet)], "pet").factor


def put(**values: object) -> Edit:
    return lambda pet: pet.update(values)


def dose(**values: object) -> Edit:
    return lambda pet: pet.RadiopharmaceuticalInformationSequence[0].update(values)


def private(group: int, creator: str, element: int, value: str) -> Edit:
    return lambda pet: pet.private_block(group, creator, create=True).add_new(element, "LO", value)


def philips(element: int, value: str) -> Edit:
    return private(0x7053, "Philips PET Private Group", element, value)


def expect(seconds: float) -> float:
    """Factor where decay was corrected to so many seconds after the injection."""
    return float(70 * 1000 / (370e6 * 2 ** (-seconds / HALF_LIFE)))


LATE = put(SeriesTime="113000")
"""The series was made anew, so its time isn't that to which decay was corrected."""
ENHANCED = put(
    CorrectedImage=None,
    Units=None,
    DecayCorrection=None,
    AttenuationCorrected="YES",
    DecayCorrected="YES",
    DecayCorrectionDateTime="20240102100500",
    RescaleType="BQML",
)
"""What an enhanced PET says instead."""
FRAME = put(FrameReferenceTime="65000", ActualFrameDuration="120000", AcquisitionTime="100005")


def mean_activity(duration: float) -> float:
    """When within a frame the activity is its mean: where exp(-rate × t) is the mean of exp over the frame."""
    t = np.linspace(0, duration, 100_001)
    rate = np.log(2) / HALF_LIFE
    return float(-np.log(np.trapezoid(np.exp(-rate * t), t) / duration) / rate)


@pytest.mark.parametrize(
    ("edits", "factor"),
    [
        ([], expect(3600)),
        ([dose(RadiopharmaceuticalStartTime="085930.50")], expect(3629.5)),
        # Injected before midnight, scanned after it; with dates and without.
        ([dose(RadiopharmaceuticalStartTime="233000"), put(SeriesTime="003000", AcquisitionTime="0030")], expect(3600)),
        ([dose(RadiopharmaceuticalStartDateTime="20240102093000.00+0100")], expect(1800)),
        ([put(DecayCorrection="ADMIN")], expect(0)),
        ([put(DecayCorrection="ADMIN"), LATE], expect(0)),
        ([LATE, private(0x0009, "GEMS_PETD_01", 0x0D, "20240102095800.00")], expect(3480)),
        ([LATE, FRAME], expect(3605 - 65 + mean_activity(120))),
        ([ENHANCED], expect(3900)),
        ([put(Units="GML")], 1.0),
        ([put(Units="GML", SUVType="BW", DecayCorrection="")], 1.0),
        ([put(Units="CNTS"), philips(0x00, "0.0031")], 0.0031),
        ([put(Units="CNTS"), philips(0x09, "2.5")], 2.5 * expect(3600)),
    ],
)
def test_factors(edits: list[Edit], factor: float) -> None:
    assert find_factor(*edits) == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([put(PatientWeight=None)], "Patient's Weight is missing"),
        ([put(PatientWeight="0")], "Patient's Weight is 0"),
        ([put(PatientWeight="70000")], "Patient's Weight is 70000 kg"),
        ([dose(RadionuclideTotalDose=None)], "Radionuclide Total Dose is missing"),
        ([dose(RadionuclideTotalDose="370")], "Total Dose is 370 Bq, as if it were MBq"),
        ([dose(RadionuclideHalfLife=None)], "Radionuclide Half Life is missing"),
        ([dose(RadiopharmaceuticalStartTime=None)], "Radiopharmaceutical Start Time is missing"),
        ([dose(RadiopharmaceuticalStartDateTime="20231230090000")], "it began 262800 s after the injection"),
        ([dose(RadiopharmaceuticalStartDateTime="20240102103000")], "it began -1800 s after the injection"),
        ([put(DecayCorrection="NONE")], "Decay Correction is NONE"),
        ([put(CorrectedImage=["DECY"])], "Corrected Image doesn't name ATTN"),
        ([put(CorrectedImage=["ATTN"])], "Corrected Image doesn't name DECY"),
        ([put(Units="CNTS")], "Units are CNTS"),
        ([put(Units="GML", SUVType="LBM")], "SUV of the type LBM"),
        ([put(RadiopharmaceuticalInformationSequence=[])], "Radionuclide Total Dose is missing"),
        ([LATE], "Series Time is later than its slices"),
        ([put(SeriesTime=None)], "Series Time is missing"),
        ([put(AcquisitionTime=None)], "Series Time is later than its slices, or they have none"),
        ([put(Units="CNTS"), philips(0x00, "0")], r"Units are CNTS, not .*\(7053,1000\) or .*\(7053,1009\)"),
        ([put(Units="CNTS")], r"private creator \(7053,0010\) is 'Philips PET Private Group'"),
        (
            [put(Units="INJ", PatientWeight=None)],
            "Units are INJ, not BQML, GML, or CNTS .*; Patient's Weight is missing",
        ),
        (
            [put(PatientWeight=None, DecayCorrection=None, CorrectedImage=None), dose(RadionuclideTotalDose=None)],
            "ATTN; .*DECY; Patient.s Weight is missing; Radionuclide Total Dose is missing; Decay Correction is miss",
        ),
        (
            [put(PatientWeight="0"), dose(RadionuclideHalfLife=None, RadiopharmaceuticalStartTime=None)],
            "Weight is 0; Radionuclide Half Life is missing; Radiopharmaceutical Start Time is missing",
        ),
    ],
)
def test_what_is_missing_is_named(edits: list[Edit], words: str) -> None:
    with pytest.raises(SeriesError, match=words):
        find_factor(*edits)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([put(Units="CNTS"), philips(0x00, "-0.0004")], r"factor to SUV \(7053,1000\) is -0.0004"),
        ([put(Units="CNTS"), philips(0x09, "-2")], r"factor to Bq/ml \(7053,1009\) is -2"),
        ([put(PatientWeight="-70")], "Patient.s Weight is -70"),
        ([dose(RadionuclideTotalDose="-370000000")], "Radionuclide Total Dose is -3.7e"),
        ([dose(RadionuclideHalfLife="-6586")], "Radionuclide Half Life is -6586"),
        ([put(RescaleSlope="-1")], "Rescale Slope is -1"),
        ([put(Units="GML", RescaleSlope="-1")], "Rescale Slope is -1"),
        ([put(DecayFactor="-1.02")], "Decay Factor is -1.02"),
    ],
)
def test_a_negative_factor_is_refused(edits: list[Edit], words: str) -> None:
    with pytest.raises(SeriesError, match=words) as refusal:
        find_factor(*edits)
    assert refusal.value.code == "header-wrong"


def test_a_factor_of_zero_is_one_that_nobody_filled_in() -> None:
    found = find_factor(put(Units="CNTS"), philips(0x00, "0"), philips(0x09, "2.5"))
    assert found == pytest.approx(2.5 * expect(3600), rel=1e-6)


def test_a_pet_with_a_negative_factor_is_refused_but_as_it_is_stored(tmp_path: Path) -> None:
    activity = write_pet(tmp_path, put(Units="CNTS"), philips(0x00, "-0.0004"))
    with pytest.raises(SeriesError, match=r"is -0\.0004; restore the header, or take the values in the unit"):
        read_volume(tmp_path)
    assert np.allclose(read_volume(tmp_path, ReadOptions(pet="stored")).voxels[0], activity)


def test_slices_must_agree() -> None:
    def move(time: str, reference: str) -> Dataset:
        pet = make_pet()
        LATE(pet)
        FRAME(pet)
        pet.AcquisitionTime, pet.FrameReferenceTime = time, reference
        return pet

    first, second, third = move("100005", "65000"), move("100205", "185000"), move("100205", "300000")
    agreed = find_uptake([read_tracer(first), read_tracer(second)], "pet").factor
    assert agreed == pytest.approx(find_uptake([read_tracer(first)], "pet").factor)
    with pytest.raises(SeriesError, match="nothing else says"):
        find_uptake([read_tracer(first), read_tracer(third)], "pet")
    third.PatientWeight = "71"
    with pytest.raises(SeriesError, match="different tracers, doses"):
        find_uptake([read_tracer(first), read_tracer(third)], "pet")


def test_times_are_read_as_dicom_writes_them() -> None:
    whole = datetime(2024, 1, 2, 10, 30, 5, 250000)
    assert parse_time("20240102", "103005.25") == parse_time("20240102", "10:30:05.250") == whole
    assert parse_time("20240102103005.25-0500") == parse_time("20240102103005.25") == whole
    assert parse_time("20240102", "1030") == datetime(2024, 1, 2, 10, 30)
    assert parse_time("20240102") is parse_time("", "10") is parse_time("20240102", "") is parse_time("x", "y") is None


def write_pet(folder: Path, *edits: Edit) -> np.ndarray:
    voxels = write_series(folder, make_grid())

    def edit(dataset: Dataset, k: int) -> None:
        make_pet(dataset)
        dataset.RescaleSlope, dataset.RescaleIntercept = 2.0 + k, 0
        dataset.AcquisitionTime = f"10{3 * k:02d}00"
        for item in edits:
            item(dataset)

    change(folder, edit)
    return (voxels + 1024) * (2.0 + np.arange(6))


def test_a_pet_is_read_in_suv_and_says_how(tmp_path: Path) -> None:
    activity = write_pet(tmp_path)
    volume = read_volume(tmp_path)
    assert np.allclose(volume.voxels[0], activity * expect(3600), rtol=1e-6)
    assert (volume.voxels.dtype, volume.source.units) == (np.float32, "SUVbw")
    (note,) = volume.source.notes
    for part in (
        "Bq/ml × 70 kg × 1000 / 370 MBq",
        "2^(3600 s / 6586.2 s)",
        f"{expect(3600):.6g}",
        "time of the series",
    ):
        assert part in note.text
    assert note.code == "pet-in-suv"
    stored = read_volume(tmp_path, ReadOptions(pet="stored"))
    assert np.allclose(stored.voxels[0], activity)
    assert (stored.source.units, stored.source.notes) == (
        "BQML",
        (Note("pet-not-suv", "PET in units BQML, as stored"),),
    )


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (put(PatientWeight=None), "Patient's Weight is missing"),
        (put(RescaleIntercept=-5), "Rescale Intercept is not 0"),
    ],
)
def test_a_pet_without_factors_keeps_its_unit_with_a_warning(
    tmp_path: Path, edit: Edit, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    activity = write_pet(tmp_path, edit)
    with caplog.at_level(logging.WARNING):
        volume = read_volume(tmp_path)
    assert np.allclose(volume.voxels[0] - volume.voxels.min(), activity - activity.min())
    assert volume.source.units == "BQML"
    assert volume.source.notes == (Note("pet-not-suv", f"PET in units BQML, not SUV: {why}"),)
    assert why in caplog.text


@pytest.mark.data
def test_a_real_whole_body_pet_against_a_computation_written_out(pet_seg: Path) -> None:
    """Decay from the injection to the series' time, to which this scanner corrects (DecayCorrection START)."""
    slices = [dcmread(path) for path in sorted((pet_seg / "PET").glob("*.dcm"))]
    first = slices[0]
    tracer = first.RadiopharmaceuticalInformationSequence[0]
    assert (first.Units, first.DecayCorrection) == ("BQML", "START")

    def seconds(time: str) -> float:
        return int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:])

    assert all(seconds(first.SeriesTime) <= seconds(item.AcquisitionTime) for item in slices)
    elapsed = seconds(first.SeriesTime) - seconds(tracer.RadiopharmaceuticalStartTime)
    decayed = float(tracer.RadionuclideTotalDose) * 0.5 ** (elapsed / float(tracer.RadionuclideHalfLife))
    volume = read_volume(pet_seg / "PET")
    assert volume.source.units == "SUVbw"
    assert volume.grid.shape[2] == len(slices) == 299
    for item in slices[::23]:
        position = np.array(item.ImagePositionPatient, float) * (-1, -1, 1)
        k = int(np.rint(volume.grid.to_voxel([position])[0, 2]))
        activity = item.pixel_array * float(item.RescaleSlope) + float(item.RescaleIntercept)
        expected = activity * float(first.PatientWeight) * 1000 / decayed
        assert np.allclose(volume.voxels[0, :, :, k], expected.T, rtol=1e-5)
    assert 5 < volume.voxels.max() < 200
