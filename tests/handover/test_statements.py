from pathlib import Path

import pytest

from medunet.errors import RecordError
from medunet.handover.statements import FILE, Statements, find_meaning, read_statements, write_statements


def test_what_nobody_said_is_missing(tmp_path: Path) -> None:
    assert read_statements(tmp_path) == Statements()
    said = Statements(users="radiologists", ethics="  ")
    missing = dict(said.list_missing())
    assert "users" not in missing
    assert missing["ethics"] == "Approval of an ethics committee, or why none was needed"
    assert len(missing) == len(Statements.model_fields) - 1
    write_statements(tmp_path, said)
    assert read_statements(tmp_path) == said


def test_another_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / FILE).write_text('{"user": "radiologists"}')
    with pytest.raises(RecordError, match=r"the key 'user' is unknown.*users"):
        read_statements(tmp_path)
    assert all(find_meaning(key) for key in Statements.model_fields)
