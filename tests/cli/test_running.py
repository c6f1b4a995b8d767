from pathlib import Path

import pytest
from commands import run

from medunet.cli.running import make_running
from medunet.errors import InputError


def test_only_what_is_said_is_handed_on() -> None:
    assert make_running() == {"trust": False}
    assert make_running(ram="2G", scratch=Path("s")) == {"trust": False, "ram_gib": 2.0, "scratch": Path("s")}
    with pytest.raises(InputError, match="--ram"):
        make_running(ram="two")


def test_ray_is_asked_for_by_an_address(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(monkeypatch, "predict", trained, "x", "--ray", "auto") == 2
    assert "pip install 'medunet[ray]'" in capsys.readouterr().err
