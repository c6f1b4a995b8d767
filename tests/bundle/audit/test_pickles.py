"""Classes that pickles name are found by their opcodes, and nothing is unpickled."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from evil import Evil

from medunet.bundle.audit.pickles import ODD_NAME, audit_pickle


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_is_found_at_its_offset_and_not_made(protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps({"a": Evil(f"touch {tmp_path}/ran")}, protocol)
    (found,) = audit_pickle(data, "model.pkl")
    assert found.severity == "error"
    assert found.text.rpartition(".")[2] == "system"
    assert found.offset is not None
    assert b"system" in data[: found.offset + 20]
    assert not (tmp_path / "ran").exists()


def test_a_name_put_together_through_the_memo_is_found() -> None:
    # Protocol 4: the strings are stored in the memo, dropped, and fetched again in place.
    parts = [b"\x80\x04", b"\x8c\x05posix\x94", b"0", b"\x8c\x06system\x94", b"0", b"h\x00h\x01\x93", b"."]
    (found,) = audit_pickle(b"".join(parts), "a.pkl")
    assert (found.text, found.severity) == ("posix.system", "error")


def test_a_name_that_is_no_string_is_an_error() -> None:
    (found,) = audit_pickle(b"\x80\x04NN\x93.", "a.pkl")
    assert (found.text, found.severity) == (ODD_NAME, "error")


def test_tensors_are_notes_and_arrays_of_numpy_warnings() -> None:
    old = io.BytesIO()
    torch.save({"a": torch.zeros(2), "n": np.float64(1)}, old, _use_new_zipfile_serialization=False)
    found = {item.text: item.severity for item in audit_pickle(old.getvalue(), "old.pt")}
    assert found.pop("torch._utils._rebuild_tensor_v2") == "note"
    assert any(name.startswith("numpy.") and severity == "warning" for name, severity in found.items())
    assert "error" not in found.values()


def test_an_old_file_of_torch_is_read_to_its_last_pickle() -> None:
    old = io.BytesIO()
    torch.save({"a": Evil("true")}, old, _use_new_zipfile_serialization=False)
    assert [item.severity for item in audit_pickle(old.getvalue(), "old.pt")] == ["error"]


@pytest.mark.parametrize("data", [b"", b"\x80\x04", b"\x80\x04h\x07.", b"nonsense", b"\x80\x04\x93."])
def test_what_is_no_pickle_is_an_error(data: bytes) -> None:
    found = list(audit_pickle(data, "a.pkl"))
    assert [item.severity for item in found if item.kind == "unreadable"] == ["error"]
