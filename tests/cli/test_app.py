import pytest
from commands import run


def test_errors_of_ours_are_one_line_and_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "plan", "nowhere") == 2
    assert capsys.readouterr().err.startswith("medunet: nowhere: there is no such file or folder")


def test_an_interruption_is_no_error_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medunet.api.plan", interrupt)
    assert run(monkeypatch, "plan", "x") == 130
