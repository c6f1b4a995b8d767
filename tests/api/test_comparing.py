from pathlib import Path

import numpy as np
import pytest

import medunet
from medunet.errors import InputError, MissingInputError, OutputExistsError
from medunet.geometry import Grid
from medunet.reading import Source, Volume
from medunet.saving import save_volume


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Masks of four cases, by two methods and as the truth; the second method is a row short."""
    grid = Grid((12, 12, 8), np.diag([1.0, 1.0, 2.0, 1.0]))
    for number in range(4):
        for name, first in (("truth", 2), ("good", 2), ("short", 3)):
            voxels = np.zeros((1, *grid.shape), np.uint8)
            voxels[0, first : 7 + number, 2:8, 2:6] = 1
            (tmp_path / name).mkdir(exist_ok=True)
            save_volume(Volume(voxels, grid, Source(path="")), tmp_path / name / f"case{number}.nii.gz")
    (tmp_path / "sites.csv").write_text("case,site\n" + "".join(f"case{n},{'ab'[n % 2]}\n" for n in range(4)))
    return tmp_path


def test_masks_are_scored_and_compared(masks: Path) -> None:
    found = medunet.compare([masks / "good", masks / "short"], truth=masks / "truth", output=masks / "out", margin=0.2)
    (row,) = found.comparison.rows
    assert (row.method, row.wins, row.losses, row.gain.patients) == ("short", 0, 4, 4)
    assert row.not_inferior
    for file in (found.report, found.picture, found.spreadsheet, masks / "out" / "comparison.json"):
        assert file.is_file()
    with pytest.raises(OutputExistsError):
        medunet.compare([masks / "good", masks / "short"], truth=masks / "truth", output=masks / "out")


def test_evaluations_are_compared_in_groups(masks: Path) -> None:
    for name in ("good", "short"):
        medunet.evaluate_masks(masks / name, masks / "truth", output=masks / f"{name}-scores")
    paths = [masks / "good-scores", masks / "short-scores" / "scores.json"]
    found = medunet.compare(paths, by="site", table=masks / "sites.csv", output=masks / "out")
    assert [row.group for row in found.comparison.rows] == ["", "site: a", "site: b"]
    assert found.comparison.methods == ("short-scores",)
    sizes = medunet.compare(paths, by="size", output=masks / "sizes")
    assert len(sizes.comparison.rows) == 5
    with pytest.raises(InputError, match="there is no such column"):
        medunet.compare(paths, by="site", output=masks / "other")
    with pytest.raises(InputError, match="given twice"):
        medunet.compare([paths[0], paths[0]], output=masks / "other")
    assert not (masks / "other").exists()


def test_what_was_not_evaluated_is_refused_with_what_to_do(masks: Path, untrained: Path) -> None:
    with pytest.raises(InputError, match="1 method given"):
        medunet.compare([masks / "good"])
    with pytest.raises(MissingInputError, match="give --truth"):
        medunet.compare([masks / "good", masks / "short"])
    with pytest.raises(MissingInputError, match="medunet evaluate"):
        medunet.compare([untrained, masks / "short"])
