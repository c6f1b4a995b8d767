"""PET in standardised uptake values by body weight (SUVbw): the factor, and what it was made of.

The rules are those of QIBA's vendor-neutral pseudo-code (QIBA wiki, "Standardized Uptake Value"): what decay was
corrected to is the series' time only where no slice was acquired before it; software that makes a new series often
writes a new series time.
"""

import re
from collections.abc import Iterator, Sequence
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
_REMEDY = "restore the header, or take the values in the unit in which they are stored (--pet stored)"
_ACCEPTED = (
    "BQML, GML, or CNTS with Philips' factor to SUV in (7053,1000) or to Bq/ml in (7053,1009), whose private creator "
    "(7053,0010) is 'Philips PET Private Group'"
)
"""Units that can be brought to SUV."""


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
        slope: RescaleSlope of this slice.
        decay_factor: DecayFactor of this slice.
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
    slope: float | None
    decay_factor: float | None


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
        slope=number("RescaleSlope"),
        decay_factor=number("DecayFactor"),
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
        SeriesError: of the code `header-wrong`, a factor is negative; of the code `pet-not-suv`, all that is missing,
            contradicts another number or can't be true.
    """
    for item in slices:
        _check_signs(item, subject)
    first = slices[0]
    if any(_without_times(item) != _without_times(first) for item in slices):
        raise SeriesError(subject, "its slices name different tracers, doses or units", _REMEDY, code="pet-not-suv")
    if first.units == "GML" and not is_suv(first):
        raise SeriesError(subject, f"its values are SUV of the type {first.kind}", _REMEDY, code="pet-not-suv")
    if is_suv(first):
        return Uptake(1.0, "PET in SUV by body weight, as stored (GML)")
    missing = [*_list_missing(first), *_list_missing_of_dose(slices)]
    if missing:
        raise SeriesError(subject, "; ".join(missing), _REMEDY, code="pet-not-suv")
    if first.units == "CNTS" and first.philips_suv:
        return Uptake(first.philips_suv, f"PET in SUV by body weight: counts × {first.philips_suv:g} (Philips)")
    factor, words = _divide_by_dose(slices, subject)
    if first.units == "CNTS" and first.philips_bqml:
        counts = f"counts × {first.philips_bqml:g} Bq/ml (Philips)"
        return Uptake(first.philips_bqml * factor, f"PET in SUV by body weight: {counts} × {words}")
    return Uptake(factor, f"PET in SUV by body weight: Bq/ml × {words}")


_FACTORS = {
    "weight_kg": "Patient's Weight",
    "dose_bq": "Radionuclide Total Dose",
    "half_life_s": "Radionuclide Half Life",
    "philips_suv": "Philips' factor to SUV (7053,1000)",
    "philips_bqml": "Philips' factor to Bq/ml (7053,1009)",
    "slope": "Rescale Slope",
    "decay_factor": "Decay Factor",
}
"""What can't be negative, in the words of a message."""


def _check_signs(tracer: Tracer, subject: str) -> None:
    """Zero is a number that nobody filled in; a negative one makes nonsense of the whole header."""
    for field, name in _FACTORS.items():
        value = getattr(tracer, field)
        if value is not None and value < 0:
            raise SeriesError(subject, f"{name} is {value:g}", _REMEDY, code="header-wrong")


def _list_missing(tracer: Tracer) -> Iterator[str]:
    """What a PET that isn't in SUV lacks, whatever its dose."""
    for name in ("ATTN", "DECY"):
        if name not in tracer.corrected:
            yield f"Corrected Image doesn't name {name}"
    counts = tracer.units == "CNTS" and (tracer.philips_suv or tracer.philips_bqml)
    if tracer.units != "BQML" and not counts:
        yield f"Units are {tracer.units or 'missing'}, not {_ACCEPTED}"


def _list_missing_of_dose(slices: Sequence[Tracer]) -> Iterator[str]:
    """What the header lacks to divide Bq/ml by the dose at the time of the scan; nothing where that isn't done."""
    first = slices[0]
    if first.units == "CNTS" and (first.philips_suv or not first.philips_bqml):
        return
    for field in ("weight_kg", "dose_bq", "half_life_s"):
        value = getattr(first, field)
        if not value and (field != "half_life_s" or first.decay != "ADMIN"):
            yield f"{_FACTORS[field]} is {'missing' if value is None else format(value, 'g')}"
    if first.weight_kg and not LIGHTEST_KG <= first.weight_kg <= HEAVIEST_KG:
        yield f"Patient's Weight is {first.weight_kg:g} kg"
    if first.dose_bq and first.dose_bq < LEAST_BQ:
        yield f"Radionuclide Total Dose is {first.dose_bq:g} Bq, as if it were MBq"
    if first.decay not in ("START", "ADMIN"):
        yield f"Decay Correction is {first.decay or 'missing'}, not START or ADMIN"
    if first.decay == "START":
        yield from _list_missing_times(slices)


def _list_missing_times(slices: Sequence[Tracer]) -> Iterator[str]:
    first = slices[0]
    if first.injected is None and first.injected_time is None:
        yield "Radiopharmaceutical Start Time is missing"
    if first.half_life_s and _find_scan(slices, first.half_life_s) is None:
        why = "is missing" if first.series is None else "is later than its slices, or they have none"
        yield f"Series Time {why}, and nothing else says to when decay was corrected"


def is_suv(tracer: Tracer) -> bool:
    """Whether the stored values are SUVbw already."""
    return tracer.units == "GML" and tracer.kind in ("", "BW")


def _without_times(tracer: Tracer) -> Tracer:
    return replace(tracer, acquired=None, reference_s=None, duration_s=None, slope=None, decay_factor=None)


def _divide_by_dose(slices: Sequence[Tracer], subject: str) -> tuple[float, str]:
    """Bq/ml to g/ml, and in words, of a header that lacks nothing."""
    first = slices[0]
    weight, dose, half_life = first.weight_kg or 0.0, first.dose_bq or 0.0, first.half_life_s or 0.0
    words = f"{weight:g} kg × 1000 / {dose / 1e6:.6g} MBq"
    scan = _find_scan(slices, half_life) if first.decay == "START" else None
    if scan is None:
        return weight * 1000 / dose, f"{words} (decay corrected to the injection)"
    began, source = scan
    elapsed = (began - _find_injection(first, began)).total_seconds()
    if not 0 <= elapsed <= HALF_LIVES * half_life:
        found = f"it began {elapsed:.0f} s after the injection, at a half-life of {half_life:g} s"
        raise SeriesError(subject, found, _REMEDY, code="pet-not-suv")
    factor = weight * 1000 / (dose * 2 ** (-elapsed / half_life))
    return factor, f"{words} × 2^({elapsed:.6g} s / {half_life:g} s) = {factor:.6g} (from injection to {source})"


def _find_injection(tracer: Tracer, began: datetime) -> datetime:
    if tracer.injected is not None:
        return tracer.injected
    injected = datetime.combine(began.date(), (tracer.injected_time or began).time())
    return injected if injected <= began else injected - timedelta(days=1)


def _find_scan(slices: Sequence[Tracer], half_life_s: float) -> tuple[datetime, str] | None:
    """The time to which decay was corrected, and what says so; None where nothing does."""
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
    return None


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
