import json
import sys
from pathlib import Path

import numpy as np
import overlapping_discs
import pytest
from PIL import Image
from scipy import ndimage


@pytest.mark.parametrize("overlap", [False, True])
def test_discs_lie_apart_or_in_overlapping_pairs(overlap: bool) -> None:
    discs = overlapping_discs.place_discs(np.random.default_rng(3), overlap=overlap)
    gaps = np.hypot(*(discs[:, None, :2] - discs[None, :, :2]).T) - discs[:, 2] - discs[:, None, 2]
    closest = (gaps + np.diag(np.full(len(discs), np.inf))).min(0)
    assert len(discs) == overlapping_discs.DISCS
    assert (closest < 0).all() if overlap else (closest >= overlapping_discs.APART).all()


@pytest.mark.parametrize("overlap", [False, True])
def test_parts_of_the_foreground_are_the_discs_only_where_they_lie_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlap: bool
) -> None:
    folder = tmp_path / "discs"
    options = ["--overlap"] if overlap else []
    monkeypatch.setattr(sys, "argv", ["overlapping_discs.py", str(folder), "--pictures", "5", *options])
    assert overlapping_discs.main() == 0
    held_out = json.loads((folder / "folds.json").read_text())
    assert sorted(name for fold in held_out.values() for name in fold) == sorted(
        path.stem for path in (folder / "images").iterdir()
    )
    label = np.asarray(Image.open(folder / "labels" / "discs000.png"))
    image = np.asarray(Image.open(folder / "images" / "discs000.png"))
    assert image[label > 0].mean() > 80
    assert image[label == 0].mean() < 50
    count = ndimage.label(label > 0)[1]
    assert count < 0.7 * label.max() if overlap else count == label.max()
    assert overlapping_discs.main() == 2
