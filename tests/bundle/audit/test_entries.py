"""What an audit found, counted."""

from typing import get_args

from medunet.bundle.audit import Audit, AuditEntry, Kind
from medunet.bundle.audit.entries import MEANINGS


def test_entries_are_counted_by_severity() -> None:
    entry = AuditEntry(kind="script", severity="warning", file="a.py", text="3 lines", reason="it is a program")
    audit = Audit(bundle="b", entries=(entry, entry), files=1)
    assert audit.count() == {"error": 0, "warning": 2, "note": 0}
    assert Audit.model_validate_json(audit.model_dump_json()) == audit


def test_each_kind_is_explained() -> None:
    assert tuple(MEANINGS) == get_args(Kind)
