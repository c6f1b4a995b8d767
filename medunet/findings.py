"""What is wrong or odd, as records with a stable code; made of the errors, warnings and notes of the readers."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from medunet.errors import MedunetError
from medunet.records import Record

Severity = Literal["error", "warning", "note"]
OTHER = "other"
"""Code of what no pattern knows."""
OPTION = re.compile(r"--[a-z]+(?:-[a-z]+)*")
CODES = {
    "path-missing": r"there is no such file|it isn't there$|holds no image|holds no DICOM image|holds no (\*|PNG)",
    "file-damaged": r"is damaged|can't be (read \(|read as|decoded)|^it ends after|checksum of|Pixel Data is missing"
    r"|start at byte|holds \S+ bytes|frames, (but )?describes|decodes to|compressed pixels have|Transfer Syntax"
    r"|no readable DICOM|is no valid JSON|SOPInstanceUID|but is no DICOM|Pixel Data holds|compressed to"
    r"|declares the size|holds at most",
    "not-an-image": r"colour image|is animated|is no PNG|is PNG but is|named PNG but|pixels transparent|not one volume"
    r"|axes and|not single numbers|^it holds \S+ components$",
    "encoding-unsupported": r"its compression \S.* is not read|its encoding|segmentation of|High Bit"
    r"|Bits (Stored|Allocated)|Fractional Value"
    r"|are no integers$|given to ITK|as UTF-8$",
    "too-large": r"× \S+ pixels$",
    "archive-refused": r"unpacked|would grow|leads out of it|twice$|link or no file|holds \S+ files$|encrypted"
    r"|(empty|zip) archive",
    "voxels-elsewhere": r"takes its voxels",
    "values-not-finite": r"not finite$",
    "place-missing": r"(PixelSpacing|ImageOrientationPatient|ImagePositionPatient) is |^Pixel Spacing is|perpendicular"
    r"|place is unknown|doesn't say where its frames|Columns and \S+ Rows$",
    "place-ambiguous": r"qform and sform|^its \S+: |qform is no rotation|not one of the patient|finite 4|is singular",
    "single-slice": r"is a single slice",
    "slices-missing": r"slices are missing",
    "slices-irregular": r"slices lie up to|its (size|Pixel Spacing|orientation) .*(is not|differs)",
    "patients-mixed": r"its (PatientID|StudyInstanceUID) differs",
    "slices-mixed": r"but they are different images|is \S.*, not .* as in|differs from that of .* in the same series",
    "slice-copied": r"is a copy of",
    "slices-sheared": r"are sheared",
    "several-series": r"^it holds \d+ series",
    "several-phases": r"images of the same places",
    "choice-unknown": r"holds no (phase|series) |of which nothing says|without series or phases",
    "patient-missing": r"names no patient|has no images here",
    "rescale-missing": r"Rescale Slope (or|and) Intercept (is|are) missing",
    "rescale-wrong": r"Rescale Slope is|Rescale .* is no number|given slope|scl_slope|Modality LUT"
    r"|Rescale Intercept is not",
    "rescale-given": r"HU by the given",
    "sign-wrong": r"declared unsigned",
    "pet-not-suv": r"^PET in units",
    "pet-in-suv": r"^PET in SUV",
    "units-differ": r"^the .* of case .* is in ",
    "components-differ": r"of case .* has \S+ components",
    "size-differs": r"has no physical size, that of",
    "padding-kept": r"are padding",
    "monochrome1": r"^MONOCHROME1",
    "compressed-with-loss": r"compressed with loss",
    "bytes-left-out": r"bytes after the pixels",
    "alpha-left-out": r"opaque alpha",
    "header-scaled": r"scaled to mm",
    "header-contradicts": r"^pixdim gives|but slices lie|contradicts the positions|than their positions"
    r"|but there are \d+",
    "set-aside": r"set aside",
    "label-grid": r"its shape .* is not|lie up to \S+ mm away|outside of the image|parallel to|off the slices"
    r"|fall on one slice|frame of reference is not|made on another image",
    "label-every-nth-slice": r"slices of the image apart|only every \S+ slice",
    "label-overlap": r"overlap$",
    "label-values": r"that are no integers|holds the label values|are taken as classes",
    "label-unknown": r"has no (structure|segment) |unknown label|which isn't described|unknown structure"
    r"|names no segment|declares no structure|has the label '"
    r"|the label '.*\(there are|of no label '",
    "label-twice": r"two (structures|of its segments) are called|files of labels fit",
    "label-names-differ": r"^its structures are",
    "label-contours": r"a contour holds|enclose nothing",
    "label-fractions": r"holds fractions",
    "folds-wrong": r"^fold |lists no folds|its folds are|in two folds",
    "patients-too-few": r"^it holds \d+ patient",
    "label-not-dicom": r"^it is \S+, not ",
    "label-missing": r"has no label$|of its cases has a label|SEG fits any image|voxel of a label|it has no label, so",
    "channel-missing": r"it has no \S* series|lacks the channel|has no channel|no channel '|its series are"
    r"|has no modality|names the channel",
    "channel-ambiguous": r"it has \S+ \S* series",
    "name-twice": r"have the id|stands there twice|has the same name|no picture in images",
    "list-wrong": r"^the key |no JSON object|names no channels|has no labels|label values besides|in one file"
    r"|training list|its label '|regions_class_order|has the labels|column|cells$|lists no case|is no (UTF-8|CSV)"
    r"|regions or a value",
    "header-wrong": r"^\w+ is ",
}
"""Code to what the sentence of the reader says; the first that fits. `docs/reference/check.md` explains them."""
REMEDIES = {
    "label-contours": "draw closed contours, or do without them",
    "label-grid": "make sure that the labels were made on this image",
    "label-missing": "add labels, or leave it out",
    "pet-not-suv": "complete the header, or take it as it is with --pet stored",
}
"""What to do about warnings, which don't say so themselves."""
_PATTERNS = {code: re.compile(pattern) for code, pattern in CODES.items()}


class Finding(Record):
    """One thing that is wrong or odd."""

    code: str
    severity: Severity
    """error: refused when it is read or trained on; warning: taken as it is, and probably not meant; note: odd."""
    subject: str
    """File, series, case or cohort."""
    found: str
    remedy: str = ""
    """What to do; nothing where nothing has to be done."""
    option: str = ""
    """Of the command line, that repairs it."""


def make_finding(severity: Severity, subject: object, found: str, remedy: str = "", code: str = "") -> Finding:
    """Make a finding; the code follows from the sentence unless given, the option from the remedy."""
    option = OPTION.search(remedy)
    return Finding(
        code=code or find_code(found),
        severity=severity,
        subject=str(subject),
        found=found,
        remedy=remedy,
        option=option.group() if option else "",
    )


def describe_error(error: MedunetError) -> Finding:
    """A refusal as a finding."""
    expected = f" (expected {error.expected})" if error.expected else ""
    return make_finding("error", error.subject, error.found + expected, error.remedy, find_code(error.found))


def find_code(found: str) -> str:
    """The code of a reader's sentence."""
    return next((code for code, pattern in _PATTERNS.items() if pattern.search(found)), OTHER)


class _Ear(logging.Handler):
    """Takes warnings of the form `subject: found` or `subject: found; remedy`, as all of the readers are."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[Finding] = []

    def emit(self, record: logging.LogRecord) -> None:
        subject, _, said = record.getMessage().partition(": ")
        found, _, remedy = said.partition("; ")
        code = find_code(found)
        self.heard.append(make_finding("warning", subject, found, remedy or REMEDIES.get(code, ""), code))


@contextmanager
def listening() -> Iterator[list[Finding]]:
    """Turn the warnings of reading and of cohorts into findings while the block runs, instead of logging them."""
    ear = _Ear()
    loggers = [logging.getLogger(f"medunet.{part}") for part in ("reading", "cohort")]
    for logger in loggers:
        logger.addHandler(ear)
        logger.propagate = False
    try:
        yield ear.heard
    finally:
        for logger in loggers:
            logger.removeHandler(ear)
            logger.propagate = True
