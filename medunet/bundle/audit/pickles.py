"""What reading a pickle imports, by a walk over its opcodes; nothing is unpickled.

A pickle is a program for a small machine with a stack. Its opcodes `GLOBAL`, `INST` and `STACK_GLOBAL` import what they
name, and `REDUCE` and others call it. The walk keeps what strings lie on that stack, so that names that are put
together only there are found too; a name that it can't tell is an error.
"""

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from medunet.bundle.audit.dangers import find_danger
from medunet.bundle.audit.entries import AuditEntry
from medunet.codes import Severity

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""What the first of the five pickles of a file of torch before 1.6 holds."""
LEGACY_PICKLES = 5
TENSORS = {
    *("collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter", "torch.Size"),
    *("torch._utils._rebuild_tensor", "torch._tensor._rebuild_from_type_v2", "torch.device", "torch.Tensor"),
    *("torch.storage.UntypedStorage", "torch.storage.TypedStorage", "torch.nn.parameter.Parameter"),
    *("torch.serialization._get_layout", "_codecs.encode", "builtins.set", "builtins.bytearray"),
}
"""What files of weights hold that `torch.load(weights_only=True)` takes."""
TORCH_NUMBERS = ("float", "int", "uint", "bfloat", "complex", "bool", "double", "half", "long", "short", "quint")
ODD_NAME = "(a name that isn't written out)"


def audit_pickle(data: bytes, file: str, member: str = "") -> Iterator[AuditEntry]:
    """Every class and function that a pickle would import.

    Args:
        data: the pickle; or a file of torch before 1.6, which begins with five.
        file: path in the bundle.
        member: of an archive.
    """
    stream, walked, wanted = BytesIO(data), 0, 1
    while walked < wanted:
        walk = _Walk(start=stream.tell())
        try:
            yield from (_judge(name, file, member, at) for at, name in _once(walk.run(stream)))
        except Exception as error:
            # Whatever pickletools says of bytes that are no pickle.
            said = f"its opcodes can't be read ({type(error).__name__}: {str(error)[:80]})"
            at = walk.start + walk.read
            yield AuditEntry(
                kind="unreadable", severity="error", file=file, place=member, offset=at, text="a pickle", reason=said
            )
            return
        wanted = LEGACY_PICKLES if walk.magic else wanted
        walked += 1


def _once(found: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for at, name in found:
        if name not in seen:
            seen.add(name)
            yield at, name


def _judge(name: str, file: str, member: str, offset: int) -> AuditEntry:
    severity: Severity = "error"
    reason = "it isn't of what files of weights need; torch.load(weights_only=True) refuses it, any other calls it"
    last = name.rpartition(".")[2]
    if name in TENSORS or (
        name.startswith("torch.") and name.count(".") == 1 and last.lower().startswith(TORCH_NUMBERS)
    ):
        severity, reason = "note", "files of tensors need it"
    elif name.startswith(("__torch__.", "torch.jit._pickle.")):
        severity, reason = "note", "it is a class or a list of the TorchScript archive itself"
    elif danger := find_danger(name):
        reason = f"it {danger}"
    elif name == ODD_NAME:
        reason = "what it imports isn't known before it is read"
    elif name.startswith(("numpy.", "monai.data.meta_tensor.", "monai.utils.enums.")):
        severity, reason = "warning", "it is data of numpy or MONAI, which torch.load(weights_only=True) refuses"
    return AuditEntry(
        kind="pickle", severity=severity, file=file, place=member, offset=offset, text=name, reason=reason
    )


_MARK = object()


@dataclass(slots=True)
class _Walk:
    """One pass over a pickle.

    Attributes:
        start: offset of its first byte.
        read: bytes of it that were read.
        magic: it is the first one of an old file of torch.
    """

    start: int
    read: int = 0
    magic: bool = False
    _stack: list[Any] = field(default_factory=list)
    _memo: dict[int, Any] = field(default_factory=dict)

    def run(self, stream: BytesIO) -> Iterator[tuple[int, str]]:
        """Offset and name of each import."""
        for opcode, value, at in pickletools.genops(stream):
            self.read = (at or self.start) - self.start
            self.magic = self.magic or value == LEGACY_MAGIC
            if opcode.name in ("GLOBAL", "INST"):
                yield at or 0, str(value).replace(" ", ".")
            elif opcode.name == "STACK_GLOBAL":
                parts = self._stack[-2:]
                known = len(parts) == 2 and all(isinstance(part, str) for part in parts)
                yield at or 0, ".".join(parts) if known else ODD_NAME
            elif opcode.name.startswith("EXT"):
                yield at or 0, ODD_NAME
            self._step(opcode, value)

    def _step(self, opcode: pickletools.OpcodeInfo, value: Any) -> None:
        """Keep what strings lie on the stack and in the memo."""
        name = opcode.name
        if name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[int(value)] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[int(value)])
        elif name == "DUP":
            self._stack.append(self._stack[-1])
        elif name == "MARK":
            self._stack.append(_MARK)
        else:
            self._take(opcode)
            made = len(opcode.stack_after)
            self._stack.extend([value if isinstance(value, str) and made == 1 else None] * made)

    def _take(self, opcode: pickletools.OpcodeInfo) -> None:
        """What an opcode takes from the stack."""
        before = [item.name for item in opcode.stack_before]
        if "mark" in before:
            while self._stack.pop() is not _MARK:
                pass
            before = before[: before.index("mark")]
        for _ in before:
            self._stack.pop()
