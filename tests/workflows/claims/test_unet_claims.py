import sys
from pathlib import Path

import pytest
import torch
import unet_claims
from plans import make_test_plan
from skipless import lay_out_without_skips

from medunet.bundle import open_bundle
from medunet.cohort import split_cases
from medunet.networks import DeepSupervision, build_network, make_network


def test_nothing_passes_the_skips_before_or_after_a_step() -> None:
    plan = make_test_plan()
    torch.manual_seed(0)
    network = lay_out_without_skips(DeepSupervision(build_network(make_network(plan)), 1)).train()
    plain = network.network
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.1)
    image = torch.randn(2, plan.task.count_inputs(), 16, 16, 16)
    level = plain.upsamples[0]
    for _ in range(2):
        sum(logits.square().mean() for logits in network(image)).backward()
        optimizer.step()
    below, skip = torch.randn(1, 16, 4, 4, 4), torch.randn(1, 8, 8, 8, 8)
    with torch.no_grad():
        assert torch.equal(level(below, skip), level(below, torch.zeros_like(skip)))
    assert level.conv_block.conv1.conv.weight[:, :8].abs().min() > 0


def test_fewer_patients_are_part_of_more_and_the_held_out_stay(trained: Path) -> None:
    cohort = open_bundle(trained).cohort()
    patients = unet_claims.order_patients(cohort, 1)
    for count in (1, 3):
        few = unet_claims.keep_patients(cohort, 1, patients[:count])
        training, held_out = split_cases(few, 1)
        assert {case.patient for case in training} == set(patients[:count])
        assert held_out == split_cases(cohort, 1)[1]


def test_both_claims_are_measured_and_trained_once(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--data", str(cohort_folder), "--out", str(tmp_path), "--steps", "4", "--budget", "5s"]
    monkeypatch.setattr(sys, "argv", ["unet_claims.py", "skips", *common])
    assert unet_claims.main() == 0
    out = capsys.readouterr().out
    assert "with skips against without, Dice: " in out
    assert "with skips against without, NSD 2 mm: " in out
    place = tmp_path / "fold0-4"
    stamp = (place / "all" / "bundle" / "models" / "model.pt").stat().st_mtime_ns
    weights = torch.load(place / "skipless" / "bundle" / "models" / "model.pt", weights_only=True)
    weight = weights["upsamples.0.conv_block.conv1.conv.weight"]
    assert weight[:, weight.shape[1] // 2 :].abs().max() == 0
    monkeypatch.setattr(sys, "argv", ["unet_claims.py", "patients", *common, "--patients", "2"])
    assert unet_claims.main() == 0
    assert "2 patients" in capsys.readouterr().out
    assert (place / "all" / "bundle" / "models" / "model.pt").stat().st_mtime_ns == stamp
    monkeypatch.setattr(sys, "argv", ["unet_claims.py", "patients", *common, "--patients", "9"])
    assert unet_claims.main() == 2
    assert "there are not so many" in capsys.readouterr().err
