"""Scripts are parsed: what they import, and each line that reaches beyond the bundle."""

from pathlib import Path

from medunet.bundle.audit.scripts import audit_script


def test_a_script_and_its_dangerous_line(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("import os\nfrom . import b\n\nraise SystemExit(os.system('touch x'))\n")
    whole, line = audit_script(path, "scripts/a.py")
    assert (whole.severity, whole.kind, whole.file) == ("warning", "script", "scripts/a.py")
    assert "import os, ." in whole.text
    assert (line.severity, line.line, line.text) == ("error", 4, "os.system")


def test_one_that_is_no_python(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"def \x00(")
    (found,) = audit_script(path, "a.py")
    assert (found.kind, found.severity) == ("unreadable", "error")
