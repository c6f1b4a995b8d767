from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medunet.evaluation import CaseScore, Scores
from medunet.geometry import Grid
from medunet.report.drawings import CasePicture, draw_case
from medunet.report.worst import FOLDER, SHOWN, WIDTH, describe_failure, list_worst, write_worst


def make_score(case: str, dice: float | None, label: str = "a", **more: float) -> CaseScore:
    held = {"nsd": dice, "truth_ml": 10.0, "predicted_ml": 10.0, "found": 1, "missed": 0, "false_found": 0}
    return CaseScore(case=case, label=label, dice=dice, **(held | {"false_ml": 0.0} | more))  # type: ignore[arg-type]


SCORES = Scores(methods={"medunet": tuple(make_score(f"c{n}", 0.9 - 0.1 * n) for n in range(8))})


def test_the_worst_come_first_and_cases_without_a_score_never() -> None:
    assert list_worst(SCORES) == [f"c{n}" for n in range(7, 7 - SHOWN, -1)]
    pairs = (make_score("x", 0.2), make_score("x", 1.0, "b"), make_score("y", 0.5), make_score("y", 0.5, "b"))
    assert list_worst(Scores(methods={"medunet": (*pairs, make_score("z", None), make_score("z", None, "b"))})) == [
        "y",
        "x",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"predicted_ml": 0.0}, "nothing was found"),
        ({"truth_ml": 0.0}, "found where there is none"),
        ({"truth_ml": 0.0, "predicted_ml": 0.0}, "rightly empty"),
        ({"predicted_ml": 30.0, "missed": 2, "false_found": 3}, "3.0 times the volume, 2 of 3 missed, 3 falsely found"),
        ({"predicted_ml": 5.0}, "0.5 times the volume"),
        ({"predicted_ml": 12.0}, "its borders"),
    ],
)
def test_what_went_wrong(more: dict[str, float], said: str) -> None:
    assert describe_failure(make_score("c", 0.5, "a", **more)) == said


def test_pictures_are_small_and_have_no_names(tmp_path: Path) -> None:
    mask = np.zeros((20, 20, 8), bool)
    mask[5:12, 5:12, 2:6] = True
    names, grid = ("c7", "c_g"), Grid(mask.shape, np.eye(4))
    images = [draw_case(mask.astype(np.float32), mask, mask, grid, title=name) for name in names]
    pictures = [CasePicture(name, image) for name, image in zip(names, images, strict=True)]
    write_worst(tmp_path, SCORES, pictures)
    (written,) = (tmp_path / FOLDER).iterdir()
    assert written.name == "1.jpg"
    picture = Image.open(written)
    assert picture.width == WIDTH
    assert written.stat().st_size < 40_000
    # Two cases that differ by their titles alone look alike.
    first, second = (np.asarray(picture.without_title()) for picture in pictures)
    assert not np.array_equal(np.asarray(images[0]), np.asarray(images[1]))
    assert np.array_equal(first, second)
