import json
from pathlib import Path

import pytest
from discs import draw_discs
from nuclei import run_nuclei

from medunet.errors import InputError


def test_the_pictures_of_a_fold_are_predicted_and_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [path.stem for path in draw_discs(tmp_path / "data", 6)]
    folds = {"0": names[:2], "1": names[2:]}
    (tmp_path / "data" / "folds.json").write_text(json.dumps(folds))
    run_nuclei(tmp_path / "data", tmp_path / "out", fold=1, minutes=0.02)
    out = capsys.readouterr().out
    assert all(word in out for word in ("nucleus", "ellipsoid", "threshold", "over the 4 of 4 cases"))
    assert sorted(path.stem for path in (tmp_path / "out" / "masks").glob("*.png")) == sorted(names[2:])
    with pytest.raises(InputError, match="there is no fold 7"):
        run_nuclei(tmp_path / "data", tmp_path / "other", fold=7, minutes=0.02)
    assert not (tmp_path / "other").exists()
