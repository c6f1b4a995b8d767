"""Traces in a bundle of whoever made it: places on a machine, and what may name a patient.

A heuristic: names of DICOM attributes that identify people, UIDs of studies, names in DICOM's spelling, DICOM files,
texts in headers of NIfTI. A patient's name in free text can't be told from other words.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib

from medunet.bundle.expressions import walk
from medunet.codes import Severity
from medunet.findings import Finding, make_finding

TEXTS = (".json", ".yaml", ".yml", ".md", ".txt", ".conf", ".py", ".csv", ".tsv", ".toml", ".cfg", ".log", "")
HOMES = re.compile(
    r"(?<![\w./:@~-])/(?:home|Users|root)/[\w.-]+[^\s\"'`)\],;]*|\b[A-Za-z]:\\{1,2}[\w.-]+[^\s\"'`)\],;]*"
)
"""Folders of people."""
PLACES = re.compile(
    r"(?<![\w./:@~-])/(?:mnt|data|datasets?|work|workspace|tmp|var|scratch|media|srv|nfs|opt|raid|storage)"
    r"/[\w.-]+[^\s\"'`)\],;]*"
)
"""Other folders of a machine."""
UID = re.compile(r"(?<![\d.])[0-2](?:\.(?:0|[1-9]\d*)){6,}(?![\d.])")
KNOWN_UIDS = ("1.2.840.10008.",)
"""How UIDs begin that the DICOM standard itself gives."""
NAME = re.compile(r"\b[A-Z][A-Za-z'-]+\^[A-Z][A-Za-z'^-]*")
"""A name as DICOM writes it."""
ATTRIBUTES = {
    **dict.fromkeys(("PatientName", "00100010", "0010,0010"), "a patient's name"),
    **dict.fromkeys(("PatientID", "00100020", "0010,0020", "OtherPatientIDs", "IssuerOfPatientID"), "a patient's ID"),
    **dict.fromkeys(("PatientBirthDate", "00100030", "0010,0030", "PatientAddress"), "who a patient is"),
    **dict.fromkeys(("AccessionNumber", "00080050", "0008,0050", "StudyID", "AdmissionID"), "a study of a patient"),
    **dict.fromkeys(("InstitutionName", "InstitutionAddress", "StationName"), "where a patient was"),
    **dict.fromkeys(("ReferringPhysicianName", "OperatorsName", "PerformingPhysicianName"), "who treated a patient"),
    **dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), "a study of a patient"),
}
"""Names of DICOM attributes that tell who somebody is, by keyword and tag."""
SMALL = 2**20
"""Bytes of a member of an archive that are searched."""
CLEAN = "leave it out before you hand the bundle on"


def check_traces(folder: Path) -> Iterator[Finding]:
    """Findings of all files of a bundle but `work/`, which is only said to be there.

    Args:
        folder: its root.
    """
    if (folder / "work").is_dir() and any((folder / "work").iterdir()):
        found = "it holds paths and patient ids of the training cohort"
        yield make_finding("bundle-identity", folder / "work", found, CLEAN, "warning")
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and inside[0] not in ("work", ".git"):
            yield from _check_file(path)


def _check_file(path: Path) -> Iterator[Finding]:
    head = path.open("rb").read(132)
    if head[128:] == b"DICM":
        yield make_finding("bundle-identity", path, "it is a DICOM file, with the header of a patient", CLEAN)
    elif path.name.endswith((".nii", ".nii.gz")):
        yield from _check_nifti(path)
    elif head.startswith(b"PK\x03\x04"):
        yield from _check_archive(path)
    elif path.suffix in TEXTS:
        text = path.read_text(encoding="utf-8", errors="replace")
        yield from _search(text, path, path.suffix == ".json")


def _check_nifti(path: Path) -> Iterator[Finding]:
    try:
        header: dict[str, object] = dict(nib.load(path).header)
    except Exception as error:
        found = f"its header can't be read ({type(error).__name__})"
        yield make_finding("bundle-identity", path, found, "restore it from a copy", "warning")
        return
    for key in ("db_name", "aux_file", "intent_name"):
        text = bytes(header.get(key, b"")).rstrip(b"\0").decode("latin-1")  # type: ignore[call-overload]
        if text and key != "intent_name":
            yield make_finding("bundle-identity", path, f"its header says {key} {text[:40]!r}", CLEAN, "warning")


def _check_archive(path: Path) -> Iterator[Finding]:
    """Texts and pickles of weights and of TorchScript archives, whose extra files hold whole configurations."""
    try:
        with zipfile.ZipFile(path) as archive:
            for item in archive.infolist():
                if item.file_size <= SMALL and not re.search(r"(^|/)data/\d+$", item.filename):
                    text = archive.read(item).decode("latin-1")
                    yield from _search(text, path, False, f"{item.filename}: ")
    except (zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError):
        return  # what can't be read is told of by others


def _search(text: str, path: Path, is_json: bool, where: str = "") -> Iterator[Finding]:
    said = json.dumps(json.loads(text), ensure_ascii=False).replace("\\\\", "\\") if is_json and _parses(text) else text
    patterns: list[tuple[re.Pattern[str], Severity]] = [(HOMES, "error"), (PLACES, "warning")]
    for pattern, severity in patterns:
        found = dict.fromkeys(match[0] for match in pattern.finditer(said))
        if found:
            first = next(iter(found))
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            remedy = "write paths from @bundle_root on, or leave them out"
            yield make_finding("bundle-place", path, f"{where}it names {first[:80]!r}{more}", remedy, severity)
    uids = [uid[0] for uid in UID.finditer(said) if not uid[0].startswith(KNOWN_UIDS)]
    if uids:
        yield make_finding("bundle-identity", path, f"{where}it holds the UID {uids[0][:64]}", CLEAN)
    if name := NAME.search(said):
        yield make_finding("bundle-identity", path, f"{where}{name[0]!r} is spelt like a name in DICOM", CLEAN)
    if is_json and _parses(text):
        yield from _search_keys(json.loads(text), path)


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _search_keys(content: object, path: Path) -> Iterator[Finding]:
    told: set[str] = set()
    for parts, value in walk(content):
        meaning = ATTRIBUTES.get(parts[-1].strip("()")) if parts else None
        if meaning and value not in (None, "", [], {}) and parts[-1] not in told:
            told.add(parts[-1])
            yield make_finding("bundle-identity", path, f"'{'::'.join(parts)}' says {meaning}", CLEAN)
