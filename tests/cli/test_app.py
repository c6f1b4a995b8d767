import re
from importlib import metadata
from pathlib import Path

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


def test_the_version_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"medunet {metadata.version('medunet')}\n"


def test_a_verbose_command_says_where_an_error_arose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("-v", "--verbose"):
        assert run(monkeypatch, option, "check", "nowhere") == 2
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith("Traceback")
        assert any("check_input" in line for line in lines)
        assert lines[-1].startswith("medunet: nowhere: there is no such")
    for option in ("-q", "--quiet"):
        assert run(monkeypatch, option, "check", "nowhere") == 2
        assert capsys.readouterr().err.startswith("medunet: nowhere: there is no such")
    (tmp_path / "scan.nii").write_bytes(b"")
    assert run(monkeypatch, "-v", "check", tmp_path / "scan.nii") == 2
    assert "medunet.api.arguments: medunet.check took 0" in capsys.readouterr().err
    assert run(monkeypatch, "-q", "-v", "check", "nowhere") == 2
    assert capsys.readouterr().err == "medunet: --quiet --verbose: they contradict each other; choose one.\n"


@pytest.mark.parametrize("group", [(), ("cohort",), ("bundle",)])
def test_the_list_of_commands_cuts_no_sentence(
    group: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *group, "--help") == 0
    commands = capsys.readouterr().out.partition("Commands:")[2].split("\n", 1)[1].splitlines()
    assert commands
    assert all(line.endswith(".") and not line.endswith("...") for line in commands if line.strip())


def test_shells_can_complete(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    assert "--install-completion" in shown
    assert "--show-completion" in shown
    monkeypatch.setenv("_MEDUNET_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "medunet tr")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run(monkeypatch) == 0
    assert capsys.readouterr().out.split() == ["train"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("init", "c", "b", "--budget", ""), "--budget '': it is no positive amount"),
        (("plan", "c", "--channels", ""), "--channels '': a name is empty"),
        (("plan", "c", "--ram", ""), "--ram '': it is no positive amount"),
        (("plan", "c", "--vram", ""), "--vram '': it is no positive amount"),
        (("check", "c", "--channels", "ct,"), "--channels 'ct,': a name is empty"),
        (("cohort", "export", "c", "o", "--format", "msd", "--channels", ""), "--channels '': a name is empty"),
        (("train", "b", "--budget", ""), "--budget '': it is no positive amount"),
        (("train", "b", "--fold", ""), "it is no fold"),
        (("predict", "b", "x", "--box", ""), "it is no box"),
        (("predict", "b", "x", "--format", ""), "--format '': a name is empty"),
    ],
)
def test_an_empty_option_is_no_default(
    arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("verb", ["predict", "init"])
def test_an_output_that_can_not_be_is_refused_first(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    wrong = tmp_path / "file" / "out"
    arguments = ["nowhere", wrong] if verb == "init" else ["nowhere", "-o", wrong]
    if verb == "predict":
        arguments.append("scan")
    assert run(monkeypatch, verb, *arguments) == 2
    assert re.search(f"{tmp_path / 'file'}(: it)? is no folder", capsys.readouterr().err)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "arguments", [("check", ""), ("predict", "b", "x", "-o", ""), ("check", "x", "--bundle", ""), ("init", "c", "")]
)
def test_an_empty_path_is_not_the_current_folder(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("medunet: medunet ")
    assert said.endswith("'': a path is empty; name it (. is the current folder), or leave it out.\n")
