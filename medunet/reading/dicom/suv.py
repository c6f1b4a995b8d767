"""PET in standardised uptake values by body weight (SUVbw): the factor, and what it was made of.

The rules are those of QIBA's vendor-neutral pseudo-code (QIBA wiki, "Standardized Uptake Value"): what decay was
corrected to is the series' time only where no slice was acquired before it; software that makes a new series often
writes a new series time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from medunet.errors import SeriesError

SUV = "SUVbw"
LIGHTEST_KG, HEAVIEST_KG = 1, 300
LEAST_BQ = 1e6
"""A dose below this is one in MBq that stands where Bq belong."""
HALF_LIVES = 6
"""A scan that begins later than this after the injection, or before it, has a wrong date or time."""
AGREED_S = 10.0
"""Slices that tell when the scan began agree within this."""
_REMEDY = "restore the header, or take the values in the unit in which they are stored"


@dataclass(frozen=True, slots=True)
class Tracer:
    """What the header of one slice says of tracer and time; None or "" where it doesn't say.

    Attributes:
        units: Units: BQML, CNTS, GML, ….
        kind: SUVType, for GML.
        corrected: CorrectedImage.
        decay: DecayCorrection: START, ADMIN or NONE.
        weight_kg: PatientWeight.
        dose_bq: RadionuclideTotalDose.
        half_life_s: RadionuclideHalfLife.
        injected: RadiopharmaceuticalStartDateTime.
        injected_time: RadiopharmaceuticalStartTime, on no certain day.
        series: SeriesDate and SeriesTime.
        decayed_to: DecayCorrectionDateTime, of enhanced PET.
        scan: when the scan began, where the vendor says so (GE).
        acquired: AcquisitionDate and AcquisitionTime.
        reference_s: FrameReferenceTime.
        duration_s: ActualFrameDuration.
        philips_suv: factor from CNTS to SUV.
        philips_bqml: factor from CNTS to Bq/ml.
    """

    units: str
    kind: str
    corrected: tuple[str, ...]
    decay: str
    weight_kg: float | None
    dose_bq: float | None
    half_life_s: float | None
    injected: datetime | None
    injected_time: datetime | None
    series: datetime | None
    decayed_to: datetime | None
    scan: datetime | None
    acquired: datetime | None
    reference_s: float | None
    duration_s: float | None
    philips_suv: float | None
    philips_bqml: float | None


def read_tracer(*sources: Any) -> Tracer:
    """Take what SUV needs out of a header.

    Args:
        sources: datasets, of which the first that has a tag counts: of a frame, then of its file.
    """

    def find(name: str) -> Any:
        return next((source.get(name) for source in sources if source.get(name) not in (None, "")), None)

    def number(name: str) -> float | None:
        return _to_number(find(name))

    dose = (find("RadiopharmaceuticalInformationSequence") or [{}])[0]
    reference = number("FrameReferenceTime")
    duration = number("ActualFrameDuration") or number("FrameAcquisitionDuration")
    corrected = find("CorrectedImage") or ()
    flags = (("AttenuationCorrected", "ATTN"), ("DecayCorrected", "DECY"))
    return Tracer(
        units=str(find("Units") or find("RescaleType") or "").strip(),
        kind=str(find("SUVType") or "").strip(),
        corrected=tuple([corrected] if isinstance(corrected, str) else corrected)
        + tuple(name for flag, name in flags if find(flag) == "YES"),
        decay=str(find("DecayCorrection") or ("START" if find("DecayCorrectionDateTime") else "")).strip(),
        weight_kg=number("PatientWeight"),
        dose_bq=_to_number(dose.get("RadionuclideTotalDose")),
        half_life_s=_to_number(dose.get("RadionuclideHalfLife")),
        injected=parse_time(dose.get("RadiopharmaceuticalStartDateTime")),
        injected_time=parse_time("19000101", dose.get("RadiopharmaceuticalStartTime")),
        series=parse_time(find("SeriesDate"), find("SeriesTime")),
        decayed_to=parse_time(find("DecayCorrectionDateTime")),
        scan=parse_time(_find_private(sources, *_GE_SCAN)),
        acquired=parse_time(find("AcquisitionDate"), find("AcquisitionTime")),
        reference_s=None if reference is None else reference / 1000,
        duration_s=None if duration is None else duration / 1000,
        philips_suv=_to_number(_find_private(sources, *_PHILIPS_SUV)),
        philips_bqml=_to_number(_find_private(sources, *_PHILIPS_BQML)),
    )


_GE_SCAN = (0x0009, "GEMS_PETD_01", 0x0D)
_PHILIPS_SUV = (0x7053, "Philips PET Private Group", 0x00)
_PHILIPS_BQML = (0x7053, "Philips PET Private Group", 0x09)


def _find_private(sources: Sequence[Any], group: int, creator: str, element: int) -> Any:
    for source in sources:
        try:
            value = source.private_block(group, creator)[element].value
        except KeyError:
            continue
        return value.decode("ascii", "ignore").strip("\0 ") if isinstance(value, bytes) else value
    return None


def _to_number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def parse_time(date: Any, time: Any = None) -> datetime | None:
    """A DICOM date and time, or a date-time (whose zone is left away, since times beside it name none).

    Returns:
        None where one is absent or none.
    """
    if not date or (time is not None and not str(time).strip()):
        return None
    text = str(date).strip() if time is None else str(date).strip()[:8] + str(time).strip().replace(":", "")
    digits, _, fraction = re.split("[+-]", text)[0].partition(".")
    try:
        whole = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
        return whole + timedelta(seconds=float(f"0.{fraction or 0}")) if len(digits) > len("YYYYMMDD") else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Uptake:
    """How stored values become SUVbw.

    Attributes:
        factor: that they are multiplied with.
        note: the factor and what it was made of.
    """

    factor: float
    note: str


def find_uptake(slices: Sequence[Tracer], subject: str) -> Uptake:
    """Find the factor from the values of a PET series, in their units, to SUVbw in g/ml.

    Args:
        slices: of all slices of the series.
        subject: the series, for messages.

    Raises:
        SeriesError: a number that it takes is missing, contradicts another one, or can't be true.
    """
    first = slices[0]
    if any(_without_times(item) != _without_times(first) for item in slices):
        raise SeriesError(subject, "its slices name different tracers, doses or units", _REMEDY, code="pet-not-suv")
    if first.units == "GML" and not is_suv(first):
        raise SeriesError(subject, f"its values are SUV of the type {first.kind}", _REMEDY, code="pet-not-suv")
    if is_suv(first):
        return Uptake(1.0, "PET in SUV by body weight, as stored (GML)")
    for name in ("ATTN", "DECY"):
        if name not in first.corrected:
            raise SeriesError(subject, f"Corrected Image doesn't name {name}", _REMEDY, code="pet-not-suv")
    if first.units == "CNTS" and first.philips_suv:
        return Uptake(first.philips_suv, f"PET in SUV by body weight: counts × {first.philips_suv:g} (Philips)")
    if first.units == "CNTS" and first.philips_bqml:
        factor, words = _divide_by_dose(slices, subject)
        return Uptake(
            first.philips_bqml * factor,
            f"PET in SUV by body weight: counts × {first.philips_bqml:g} Bq/ml (Philips) × {words}",
        )
    if first.units != "BQML":
        raise SeriesError(subject, f"Units are {first.units or 'missing'}", _REMEDY, code="pet-not-suv")
    factor, words = _divide_by_dose(slices, subject)
    return Uptake(factor, f"PET in SUV by body weight: Bq/ml × {words}")


def is_suv(tracer: Tracer) -> bool:
    """Whether the stored values are SUVbw already."""
    return tracer.units == "GML" and tracer.kind in ("", "BW")


def _without_times(tracer: Tracer) -> Tracer:
    return replace(tracer, acquired=None, reference_s=None, duration_s=None)


def _divide_by_dose(slices: Sequence[Tracer], subject: str) -> tuple[float, str]:
    """Bq/ml to g/ml, and in words."""
    first = slices[0]
    weight = _demand(first.weight_kg, "Patient's Weight", subject)
    dose = _demand(first.dose_bq, "Radionuclide Total Dose", subject)
    if not LIGHTEST_KG <= weight <= HEAVIEST_KG:
        raise SeriesError(subject, f"Patient's Weight is {weight:g} kg", _REMEDY, code="pet-not-suv")
    if dose < LEAST_BQ:
        raise SeriesError(
            subject, f"Radionuclide Total Dose is {dose:g} Bq, as if it were MBq", _REMEDY, code="pet-not-suv"
        )
    words = f"{weight:g} kg × 1000 / {dose / 1e6:.6g} MBq"
    if first.decay == "ADMIN":
        return weight * 1000 / dose, f"{words} (decay corrected to the injection)"
    if first.decay != "START":
        raise SeriesError(subject, f"Decay Correction is {first.decay or 'missing'}", _REMEDY, code="pet-not-suv")
    half_life = _demand(first.half_life_s, "Radionuclide Half Life", subject)
    began, source = _find_scan(slices, half_life, subject)
    elapsed = (began - _find_injection(first, began, subject)).total_seconds()
    if not 0 <= elapsed <= HALF_LIVES * half_life:
        found = f"it began {elapsed:.0f} s after the injection, at a half-life of {half_life:g} s"
        raise SeriesError(subject, found, _REMEDY, code="pet-not-suv")
    factor = weight * 1000 / (dose * 2 ** (-elapsed / half_life))
    return factor, f"{words} × 2^({elapsed:.6g} s / {half_life:g} s) = {factor:.6g} (from injection to {source})"


def _demand(value: float | None, name: str, subject: str) -> float:
    if value is None or value <= 0:
        raise SeriesError(
            subject, f"{name} is {'missing' if value is None else format(value, 'g')}", _REMEDY, code="pet-not-suv"
        )
    return value


def _find_injection(tracer: Tracer, began: datetime, subject: str) -> datetime:
    if tracer.injected is not None:
        return tracer.injected
    if tracer.injected_time is None:
        raise SeriesError(subject, "Radiopharmaceutical Start Time is missing", _REMEDY, code="pet-not-suv")
    injected = datetime.combine(began.date(), tracer.injected_time.time())
    return injected if injected <= began else injected - timedelta(days=1)


def _find_scan(slices: Sequence[Tracer], half_life_s: float, subject: str) -> tuple[datetime, str]:
    """The time to which decay was corrected, and what says so."""
    first = slices[0]
    if first.decayed_to is not None:
        return first.decayed_to, "the time of decay correction"
    acquired = [item.acquired for item in slices if item.acquired is not None]
    if first.series is not None and len(acquired) == len(slices) and first.series <= min(acquired):
        return first.series, "the time of the series"
    if first.scan is not None:
        return first.scan, "the start of the scan"
    starts = [start for item in slices if (start := _count_back(item, half_life_s)) is not None]
    if len(starts) == len(slices) and (max(starts) - min(starts)).total_seconds() <= AGREED_S:
        return min(starts), "the start of the scan by its frames"
    why = "is missing" if first.series is None else "is later than its slices, or they have none"
    raise SeriesError(
        subject, f"Series Time {why}, and nothing else says to when decay was corrected", _REMEDY, code="pet-not-suv"
    )


def _count_back(tracer: Tracer, half_life_s: float) -> datetime | None:
    """The start of the scan from one slice: its own start, less its reference time, plus when its mean activity was.

    Source: QIBA, as above; counts fall by exp(-λt) within a frame.
    """
    if tracer.acquired is None or not tracer.reference_s or not tracer.duration_s:
        return None
    rate = np.log(2) / half_life_s
    decay = rate * tracer.duration_s
    mean = np.log(decay / -np.expm1(-decay)) / rate
    return tracer.acquired + timedelta(seconds=float(mean) - tracer.reference_s)
