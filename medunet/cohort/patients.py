"""Whose files are whose, where nobody says it: by names that differ only in their end, or else each its own patient."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from medunet.cohort.cases import Cohort
from medunet.findings import Finding, make_finding

WORDS = (
    *("tp", "timepoint", "time", "visit", "ses", "session", "scan", "study", "exam", "baseline", "bl", "followup"),
    *("follow-up", "fu", "day", "week", "month", "year", "run", "rep", "repeat", "pre", "post", "preop", "postop"),
    *("left", "right", "lt", "rt", "frame", "phase", "ed", "es", "slice", "tile", "patch", "crop", "part", "view"),
)
"""Words, with or without a number, that tell files of one patient apart."""
DATE = r"(?:19|20)\d\d[-_]?(?:0[1-9]|1[0-2])[-_]?(?:0[1-9]|[12]\d|3[01])"
ENDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(.+?)[-_. ](?:{'|'.join(WORDS)})[-_. ]?\d*",
        r"(.+?)[-_. ][tvdwmys]\d+",
        rf"(.+?)[-_. ]{DATE}",
        r"(.*\d)[-_. ]?[a-z]",
    )
)
"""What a name may end with beside that of its patient: a word, a letter and a number, a date, or a letter."""
BIDS = re.compile(r"(sub-[a-zA-Z0-9]+)_.+")
REMEDY = "name patients in a cases.csv with the columns id and patient beside the list, if files share one"


def guess_patients(names: Sequence[str]) -> dict[str, str]:
    """Patient of each name, by beginnings that several names share: `pat01_tp0` and `pat01_tp1` are of `pat01`.

    What stands at the end counts only where the same beginning repeats. A running number is none of it, so that
    `hippocampus_001` and `hippocampus_003` stay two patients; and where all names would become one patient's, none do.
    """
    chains = {name: [name, *_shorten(name)] for name in names}
    counts = Counter(stem for chain in chains.values() for stem in chain)
    found = {name: next((s for s in reversed(chain) if counts[s] > 1), name) for name, chain in chains.items()}
    return found if len(set(found.values())) > 1 else {name: name for name in names}


def _shorten(name: str) -> Iterator[str]:
    """The name without what tells files of a patient apart, end by end."""
    if match := BIDS.fullmatch(name):
        yield match[1]
        return
    while match := next(filter(None, (end.fullmatch(name) for end in ENDS)), None):
        name = match[1]
        yield name


def group_cases(cohort: Cohort) -> Cohort:
    """A cohort whose files nobody named patients for, its patients guessed by the names of its cases."""
    patients = guess_patients([case.id for case in cohort.cases])
    cases = tuple(case.model_copy(update={"patient": patients[case.id]}) for case in cohort.cases)
    shared = any(case.id != case.patient for case in cases)
    return cohort.model_copy(update={"cases": cases, "split_by": "name" if shared else "file"})


def describe_split(cohort: Cohort) -> str:
    """How cases are held out together, in words; "" where each is of a patient of its own, as somebody said."""
    count, patients = len(cohort.cases), len({case.patient for case in cohort.cases})
    if cohort.split_by == "file" and count > 1:
        return f"split by file: nobody says whose they are, so each of {count} is taken for a patient"
    if cohort.split_by == "name":
        first = next(case for case in cohort.cases if case.id != case.patient)
        own = ", ".join(case.id for case in cohort.cases if case.patient == first.patient)
        return f"split by name: {count} files are of {patients} patients ({own} are of {first.patient})"
    return f"split by patient: {count} cases are of {patients} patients" if patients < count else ""


def tell_split(cohort: Cohort, subject: object) -> list[Finding]:
    """The same as a note; none where there is nothing to say."""
    said = describe_split(cohort)
    remedy = "" if cohort.split_by == "patient" else REMEDY
    return [make_finding("patients-guessed", subject, said, remedy, "note")] if said else []
