"""What is told of the bundles that come with medunet."""

import json
import shutil
from pathlib import Path

import pytest

from medunet.bundle import shipped
from medunet.handover.gallery import list_bundles

BUNDLES = Path(__file__).parents[2] / "bundles"


def test_scores_are_those_of_the_records() -> None:
    found = {item.name: item for item in list_bundles()}
    sarcomas = found["sts_petct_unet3d"]
    scores = json.loads((sarcomas.folder / "docs" / "scores.json").read_text())["methods"]["medunet"]
    assert sarcomas.score is not None
    assert sarcomas.score.mean == pytest.approx(sum(row["dice"] for row in scores) / len(scores))
    assert sarcomas.score.patients == len(scores) == 38
    assert sarcomas.score.low is not None
    assert 0.7 < sarcomas.score.low < sarcomas.score.mean
    assert (sarcomas.channels, sarcomas.labels) == (("ct", "pet"), ("GTV_Mass_CT",))
    assert 5e6 < sarcomas.size < 20e6
    assert found["nuclei_unet2d"].measure == "AP"


def test_a_patient_counts_once_by_the_mean_of_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(BUNDLES / "sts_petct_unet3d", tmp_path / "own"))
    path = folder / "docs" / "scores.json"
    scores = json.loads(path.read_text())
    a, b = scores["methods"]["medunet"][:2]
    rows = [
        a | {"dice": 0.5},
        a | {"label": "node", "dice": 0.7},
        b | {"dice": 0.9},
        b | {"label": "node", "dice": None},
    ]
    path.write_text(json.dumps(scores | {"methods": {"medunet": rows}}))
    monkeypatch.setattr(shipped, "PLACES", (tmp_path,))
    (found,) = list_bundles()
    assert found.name == "own"
    assert found.score is not None
    assert (found.score.patients, found.score.mean) == (2, pytest.approx(0.75))
    path.unlink()
    (folder / "docs" / "fast.json").unlink()
    (found,) = list_bundles()
    assert (found.score, found.seconds) == (None, None)
