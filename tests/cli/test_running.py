from pathlib import Path

import pytest
from commands import run


def test_ray_is_asked_for_by_an_address(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(monkeypatch, "predict", trained, "x", "--ray", "auto") == 2
    assert "pip install 'medunet[ray]'" in capsys.readouterr().err
