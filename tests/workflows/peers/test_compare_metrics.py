import math
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from compare_metrics import (
    RAISED,
    change_labels,
    find_shifted_share,
    make_pairs,
    measure,
    tabulate_made_up,
    tabulate_real,
)
from metric_peers import PEERS

PAIRS = {pair.name: pair for pair in make_pairs()}
SCRIPT = Path(__file__).parents[3] / "workflows" / "peers" / "compare_metrics.py"


@pytest.mark.parametrize("name", [name for name in PAIRS if "sphere" in name])
def test_what_is_known_is_what_we_measure(name: str) -> None:
    pair = PAIRS[name]
    found, seconds = measure(pair, "medunet")
    assert seconds > 0
    for key, bound in (("Dice", 0.005), ("NSD", 0.02), ("HD95", 0.45), ("ASSD", 0.25)):
        if key in pair.known:
            assert found[key] == pytest.approx(pair.known[key], abs=bound), key


@pytest.mark.parametrize("name", [name for name in PAIRS if "sphere" not in name])
def test_counts_follow_the_rule(name: str) -> None:
    pair = PAIRS[name]
    found, _ = measure(pair, "medunet")
    assert {key: found[key] for key in pair.known} == pair.known


def test_monai_agrees_on_dice_and_answers_empty_masks() -> None:
    for pair in PAIRS.values():
        ours, theirs = measure(pair, "medunet")[0], measure(pair, "MONAI")[0]
        assert theirs["Dice"] == pytest.approx(ours["Dice"], abs=1e-6, nan_ok=True), pair.name
    assert math.isinf(measure(PAIRS["nothing predicted"], "MONAI")[0]["ASSD"])


def test_a_tool_that_raises_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> dict[str, float]:
        raise AttributeError("np.Inf")

    monkeypatch.setattr("compare_metrics.PEERS", {"medunet": PEERS["medunet"], "broken": fail})
    pair = PAIRS["nothing predicted"]
    assert measure(pair, "broken")[0]["NSD"] == RAISED
    lines = tabulate_made_up([pair])
    assert "| nothing predicted | NSD | 0 | 0 | raises |" in lines
    assert "| nothing predicted | missed | 2 | 2 | – |" in lines


def test_labels_are_compared_with_themselves_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = np.zeros((20, 18, 12), np.uint8)
    voxels[5:12, 5:12, 3:9], voxels[13:15, 5:12, 3:9] = 1, 2
    nib.save(nib.Nifti1Image(voxels, np.diag([1.0, 1.0, 2.0, 1.0])), tmp_path / "a.nii.gz")
    pairs = list(change_labels([tmp_path / "a.nii.gz"]))
    assert [pair.name for pair in pairs].count("shrunk by a voxel") == 1  # the thin one is gone
    assert pairs[0].spacing == (1, 1, 2)
    monkeypatch.setattr("compare_metrics.PEERS", {"medunet": PEERS["medunet"]})
    lines = tabulate_real(pairs)
    assert lines[-1].startswith("| all | 5 | seconds | ")
    assert any(line.startswith("| moved by a voxel along I | 2 | HD95 | 1.000") for line in lines)


def test_a_share_of_a_moved_sphere() -> None:
    assert [find_shifted_share(6.0, tolerance) for tolerance in (2.0, 9.0)] == [pytest.approx(1 / 3), 1]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--labels", tmp_path / "no"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "is no folder" in done.stderr
