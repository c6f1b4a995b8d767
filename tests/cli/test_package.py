from pathlib import Path

import pytest
from commands import run


def test_it_writes_a_build_folder_and_says_how_to_build(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "package", trained, "-o", tmp_path / "out", "--monai-manifest") == 0
    assert "docker build --target map -t bundle " in capsys.readouterr().out
    assert "COPY map /etc/monai" in (tmp_path / "out" / "Dockerfile").read_text()
    assert run(monkeypatch, "package", trained, "-o", tmp_path / "out") == 2
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["BUNDLE"], "it takes BUNDLE and -o DIR, or --run DIR INPUT OUT"),
        (["--run", "BUNDLE", "BUNDLE"], "1 paths follow the build folder"),
        (["--run", "BUNDLE", "nowhere", "out"], "nowhere"),
        (["--run", "BUNDLE", "BUNDLE", "out"], "Dockerfile"),
        (["BUNDLE", "-o", "x", "--models", "list"], "--models"),
    ],
)
def test_what_is_wrong_is_said(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "package", *(str(trained) if word == "BUNDLE" else word for word in given)) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
