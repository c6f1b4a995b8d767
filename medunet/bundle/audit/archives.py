"""What files of weights and other binary files hold: archives, arrays, old pickles, libraries."""

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from numpy.lib import format as arrays

from medunet.bundle.audit.entries import AuditEntry
from medunet.bundle.audit.pickles import audit_pickle

NATIVE = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")
"""How libraries and programs begin."""
NATIVE_ENDINGS = (".so", ".dll", ".dylib", ".pyd", ".pyc", ".pyo", ".exe", ".sh", ".bat", ".engine", ".plan")
PICKLE_ENDINGS = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin")
PICKLE = re.compile(rb"\x80[\x02-\x05]")
OPERATORS = re.compile(r"\bops\.(\w+)\.(\w+)")
FILE_OPERATORS = re.compile(r"\btorch\.(save|from_file|load)\(")
TENSOR = re.compile(r"(^|/)data/\d+$")
"""Names of members that hold the numbers of a tensor and nothing else."""
LARGEST_PICKLE = 2**30
"""Bytes of a member that are looked into; a file of weights keeps its tensors apart."""


def audit_binary(path: Path, name: str) -> Iterator[AuditEntry]:
    """All that a file would run which is no text of a configuration or of Python.

    Args:
        path: of the file.
        name: of it, in the bundle.
    """
    with path.open("rb") as stream:
        head = stream.read(16)
        stream.seek(0)
        if head.startswith(NATIVE) or (name.endswith(NATIVE_ENDINGS) and not head.startswith(b"PK")):
            said = "it is a program, a library or compiled Python, which is run as it is"
            yield AuditEntry(kind="native", severity="error", file=name, text=path.name, reason=said)
        elif head.startswith(b"PK\x03\x04"):
            yield from _audit_zip(path, name)
        elif head.startswith(b"\x93NUMPY"):
            yield from _audit_array(stream, name)
        elif PICKLE.match(head) or name.endswith(PICKLE_ENDINGS):
            yield from audit_pickle(stream.read(LARGEST_PICKLE), name)


def _audit_zip(path: Path, name: str) -> Iterator[AuditEntry]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            code = [item.filename for item in members if re.search(r"(^|/)code/.*\.py$", item.filename)]
            if code:
                said = f"{len(code)} files of TorchScript"
                reason = (
                    "torch.jit.load takes it for a program; TorchScript knows no files or processes but by operators"
                )
                yield AuditEntry(kind="torchscript", severity="warning", file=name, text=said, reason=reason)
            for item in members:
                inside = item.filename
                if item.file_size <= LARGEST_PICKLE:
                    with archive.open(item) as stream:
                        yield from _audit_member(stream, name, inside, in_code=inside in code)
                elif not TENSOR.search(inside):
                    said = f"it holds {item.file_size} bytes, too many to look into"
                    yield AuditEntry(
                        kind="unreadable", severity="error", file=name, place=inside, text=inside, reason=said
                    )
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        said = f"its archive can't be read ({type(error).__name__})"
        yield AuditEntry(kind="unreadable", severity="error", file=name, text="an archive", reason=said)


def _audit_member(stream: IO[bytes], file: str, member: str, *, in_code: bool) -> Iterator[AuditEntry]:
    head = stream.read(16)
    if in_code:
        yield from _audit_torchscript((head + stream.read()).decode("utf-8", "replace"), file, member)
    elif head.startswith(b"\x93NUMPY"):
        yield from _audit_array(BytesIO(head + stream.read()), file, member)
    elif PICKLE.match(head) or member.endswith(".pkl"):
        yield from audit_pickle(head + stream.read(), file, member)
    elif head.startswith(NATIVE) or member.endswith(NATIVE_ENDINGS):
        said = "it is a program, a library or compiled Python within an archive"
        yield AuditEntry(kind="native", severity="error", file=file, place=member, text=member, reason=said)


def _audit_torchscript(text: str, file: str, member: str) -> Iterator[AuditEntry]:
    for number, line in enumerate(text.splitlines(), start=1):
        for found in OPERATORS.finditer(line):
            if found[1] not in ("prim", "aten"):
                said = "it is an operator of a library that torch has to load first"
                yield AuditEntry(
                    kind="torchscript",
                    severity="error",
                    file=file,
                    place=member,
                    line=number,
                    text=found[0],
                    reason=said,
                )
        for found in FILE_OPERATORS.finditer(line):
            yield AuditEntry(
                kind="torchscript",
                severity="error",
                file=file,
                place=member,
                line=number,
                text=found[0],
                reason="it reads or writes files",
            )


def _audit_array(stream: IO[bytes], file: str, member: str = "") -> Iterator[AuditEntry]:
    """An array of numpy, which holds a pickle where its items are objects."""
    try:
        version = arrays.read_magic(stream)
        reader = arrays.read_array_header_1_0 if version[0] == 1 else arrays.read_array_header_2_0
        kind = reader(stream)[2]
    except ValueError as error:
        said = f"its header can't be read ({error})"
        yield AuditEntry(kind="unreadable", severity="error", file=file, place=member, text="an array", reason=said)
        return
    if kind.hasobject:
        yield from audit_pickle(stream.read(LARGEST_PICKLE), file, member)
