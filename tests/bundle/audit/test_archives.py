"""Weights, TorchScript archives, arrays and libraries are looked into by their content."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from evil import Evil

from medunet.bundle.audit import archives
from medunet.bundle.audit.archives import audit_binary


def severities(path: Path) -> list[tuple[str, str]]:
    return [(item.kind, item.severity) for item in audit_binary(path, path.name)]


def test_plain_weights_are_notes_alone(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "model.pt")
    found = list(audit_binary(tmp_path / "model.pt", "models/model.pt"))
    assert {item.severity for item in found} == {"note"}
    assert {item.text for item in found} >= {"torch._utils._rebuild_tensor_v2", "torch.FloatStorage"}
    assert all(item.place.endswith("data.pkl") for item in found)


def test_weights_that_call_are_errors(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2), "b": Evil(f"touch {tmp_path}/ran")}, tmp_path / "model.pt")
    assert ("pickle", "error") in severities(tmp_path / "model.pt")
    assert not (tmp_path / "ran").exists()


def test_torchscript_is_a_program(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(torch.nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 4, 4)), tmp_path / "model.ts")
    found = severities(tmp_path / "model.ts")
    assert found[0] == ("torchscript", "warning")
    assert {severity for _, severity in found[1:]} == {"note"}


def test_operators_that_torchscript_calls_beyond_torch(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.ts", "w") as archive:
        archive.writestr("m/code/__torch__/a.py", "def f(x):\n  y = ops.evil.run(x)\n  torch.save(x, 'p')\n  return y")
    found = [item for item in audit_binary(tmp_path / "m.ts", "m.ts") if item.severity == "error"]
    assert [(item.text, item.line) for item in found] == [("ops.evil.run", 2), ("torch.save(", 3)]


def test_arrays_of_objects_hold_a_pickle(tmp_path: Path) -> None:
    np.save(tmp_path / "plain.npy", np.zeros(3))
    assert severities(tmp_path / "plain.npy") == []
    np.save(tmp_path / "a.npy", np.array([Evil("true")], dtype=object), allow_pickle=True)
    assert ("pickle", "error") in severities(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", x=np.array([Evil("true")], dtype=object))
    assert ("pickle", "error") in severities(tmp_path / "a.npz")


def test_a_pickle_too_large_to_look_into_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"a": torch.zeros(5000)}, tmp_path / "model.pt")
    monkeypatch.setattr(archives, "LARGEST_PICKLE", 100)
    assert severities(tmp_path / "model.pt") == [("unreadable", "error")]


def test_libraries_and_broken_archives(tmp_path: Path) -> None:
    for name, data in {"a.so": b"\x7fELF1", "run": b"#!/bin/sh\n", "b.pyc": b"x", "c.pt": b"PK\x03\x04junk"}.items():
        (tmp_path / name).write_bytes(data)
        kind = "unreadable" if name == "c.pt" else "native"
        assert severities(tmp_path / name) == [(kind, "error")]
    (tmp_path / "a.txt").write_text("words")
    assert severities(tmp_path / "a.txt") == []
