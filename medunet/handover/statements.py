"""What of a bundle only a person can say, as a record, and what of that is missing."""

from collections.abc import Iterator
from pathlib import Path

from medunet.errors import MissingInputError
from medunet.records import Record, read_record, write_record

FILE = Path("docs", "card.json")
"""In a bundle."""


class Statements(Record):
    """`docs/card.json` of a bundle: what `medunet bundle card` can't know, in plain text; empty where it isn't said."""

    users: str = ""
    """Who is to use it, and with what expertise."""
    indications: str = ""
    """Patients and diseases that it is for, and for which it isn't."""
    workflow: str = ""
    """Its place in the work of a clinic, what it replaces, its benefit."""
    regulatory: str = ""
    """Whether a regulator authorized it."""
    design: str = ""
    """Aims of the study, and whether it was planned before the data."""
    sources: str = ""
    """Where the data come from, when and how they were gathered."""
    eligibility: str = ""
    """Which patients and images were included and excluded."""
    demographics: str = ""
    """Age, sex, disease and severity of the patients, and of those that it is for."""
    acquisition: str = ""
    """Scanners, protocols, contrast."""
    deidentification: str = ""
    """How identities were removed."""
    ethics: str = ""
    """Approval of an ethics committee, or why none was needed."""
    missing_data: str = ""
    """What was missing, and what was done about it."""
    reference: str = ""
    """How the reference standard was made, and why it was chosen."""
    annotators: str = ""
    """Who drew it, with what experience and tools."""
    variability: str = ""
    """How far annotators agree, with each other and themselves."""
    masking: str = ""
    """What annotators and readers knew of each other's results."""
    sample_size: str = ""
    """How the number of patients came about."""
    external: str = ""
    """Results on patients of elsewhere, and how these differ."""
    fairness: str = ""
    """Results in groups of patients, such as by sex, age or site."""
    risks: str = ""
    """What may go wrong for a patient, and what is done about it."""
    maintenance: str = ""
    """Who answers questions, watches results, and makes new versions."""
    registration: str = ""
    """Number and registry of the study."""
    protocol: str = ""
    """Where its protocol, or more of it, can be read."""
    funding: str = ""
    """Who paid, and what interests there are."""

    def list_missing(self) -> Iterator[tuple[str, str]]:
        """Key and meaning of what isn't said."""
        for key in type(self).model_fields:
            if not getattr(self, key).strip():
                yield key, find_meaning(key)


def find_meaning(key: str) -> str:
    """What a statement is about, as in its docstring, without the last full stop."""
    return (Statements.model_fields[key].description or key).rstrip(".")


def read_statements(folder: Path) -> Statements:
    """What people said of a bundle; nothing where there is no such file.

    Raises:
        RecordError: it isn't JSON, or holds other keys.
    """
    try:
        return read_record(folder / FILE, Statements)
    except MissingInputError:
        return Statements()


def write_statements(folder: Path, statements: Statements) -> None:
    """Keep what people say of a bundle, or the empty form of it."""
    write_record(folder / FILE, statements)
