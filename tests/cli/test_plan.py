import shutil
from pathlib import Path

import pytest
from commands import run
from plans import make_test_plan

from medunet.bundle import find_stale, open_bundle
from medunet.cli.plan import describe_plan
from medunet.planning import Memory, Speed
from medunet.records import read_json, write_json
from medunet.training import CONFIGS


def test_reasons_stand_there_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    describe_plan(make_test_plan(), explain=True)
    shown = capsys.readouterr().out
    assert "patch             16 × 16 × 16\n" in shown
    assert "because: small" in shown
    assert "3D, features 4-8-16" in shown
    describe_plan(make_test_plan())
    assert capsys.readouterr().out == shown.replace("                    because: small\n", "")


def test_memory_and_speed_stand_there_where_they_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    speed = Speed(device="cpu", steps_per_second=2.5, precision="bfloat16", channels_last=True, threads=2)
    known = {"peak_gib": {"measure": 0.31, "train": 2.2}, "memory": Memory(ram_gib=8), "speed": speed}
    describe_plan(make_test_plan().change(foreseen=known))
    shown = capsys.readouterr().out
    assert "peak_gib          measure 0.3, train 2.2\n" in shown
    assert "memory            8 GiB\n" in shown
    assert "speed             2.5 steps/s on cpu, 2 threads, bfloat16, channels last\n" in shown


def test_a_bundle_is_planned_again_and_stays_as_it_is_without_write(
    untrained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in untrained.rglob("*") if path.is_file()}
    assert run(monkeypatch, "plan", untrained) == 0
    assert "budget_minutes    0.5" in capsys.readouterr().out
    options = ("--budget", "1m", "--ram", "1.5GiB", "--dims", "2")
    assert run(monkeypatch, "plan", untrained, *options) == 0
    out = capsys.readouterr().out
    assert "2D, features" in out
    assert "with --write it gets this plan" in out
    assert before == {path: path.read_bytes() for path in untrained.rglob("*") if path.is_file()}
    assert run(monkeypatch, "plan", untrained, *options, "--write") == 0
    bundle = open_bundle(untrained)
    assert (bundle.plan.network.dims, bundle.plan.training.budget_minutes) == (2, 1.0)
    assert bundle.plan.foreseen.memory is not None
    assert bundle.plan.foreseen.memory.ram_gib == 1.5
    assert find_stale(bundle, CONFIGS) == []
    assert bundle.inference["network_def"]["spatial_dims"] == 2


def test_an_edited_plan_is_told_of_and_brought_into_the_configurations(
    untrained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = untrained / "configs" / "plan.json"
    plan = read_json(path)
    plan["training"]["foreground_share"], plan["window"]["overlap"] = 0.7, 0.25
    write_json(path, plan)
    assert run(monkeypatch, "plan", untrained) == 0
    assert "is not what plan.json makes" in capsys.readouterr().err
    assert run(monkeypatch, "plan", untrained, "--write") == 0
    assert read_json(untrained / "configs" / "train.json")["train"]["dataset"]["foreground_share"] == 0.7
    assert read_json(untrained / "configs" / "inference.json")["inferer"]["overlap"] == 0.25
    assert open_bundle(untrained).plan.training.foreground_share == 0.7


def test_a_bundle_whose_training_has_begun_keeps_its_plan(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "plan", trained, "--write") == 2
    assert "its training has begun (fold0); make another bundle" in capsys.readouterr().err


def test_a_cohort_is_planned_without_a_bundle(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = shutil.make_archive(str(tmp_path / "patients"), "zip", cohort_folder)
    assert run(monkeypatch, "plan", archive, "--budget", "30s", "--channels", "ct", "--explain") == 0
    out = capsys.readouterr().out
    assert "channels          ct; labels lesion" in out
    assert "because: median spacing" in out
    assert "nothing is written; next: medunet init" in out
    assert list(tmp_path.iterdir()) == [tmp_path / "patients.zip"]


def test_what_does_not_fit_together_is_refused(
    untrained: Path, cohort_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "plan", untrained, "--channels", "ct") == 2
    assert "whose channels and labels are settled" in capsys.readouterr().err
    assert run(monkeypatch, "plan", cohort_folder, "--write") == 2
    assert "it is no bundle" in capsys.readouterr().err
    assert run(monkeypatch, "plan", untrained, "--vram", "lots") == 2
    assert "--vram lots: it is no positive amount" in capsys.readouterr().err
