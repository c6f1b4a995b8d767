"""Objects in pictures: medunet, a U-Net that learns foreground alone, and Mask R-CNN, each for the same minutes.

    make maskrcnn-env
    .venv-maskrcnn/bin/python workflows/peers/compare_maskrcnn.py --data FOLDER --out DIR --budget 20m [--fold 0]

FOLDER holds images/, labels/ (one number an object) and folds.json: nuclei as of `nuclei.py`, or discs by
`overlapping_discs.py`. medunet plans what to learn from labels that number objects; the second network is planned the
same way from labels without numbers, and each connected part of its foreground is one object; Mask R-CNN is
torchvision's, trained from nothing (`maskrcnn.py`). All run here, with the torch of this environment. The score is the
mean over the pictures of their average precision at IoU 0.50 to 0.95. What is finished in DIR is not done again.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage

import medunet
from medunet.bundle import open_bundle
from medunet.cohort import Case, split_cases
from medunet.errors import OutputExistsError
from medunet.evaluation import match_objects
from medunet.files import whole_folder
from medunet.progress import track
from medunet.records import read_json, write_json

sys.path.append(str(Path(__file__).parents[1]))  # where lies what all workflows share

from command import finish
from one_fold import make_parser
from paired import compare_values

Numbers = npt.NDArray[np.int64]
OURS, PLAIN, PEER = "medunet", "foreground alone", "Mask R-CNN"
MOST_PIXELS = 520
"""Along an axis, of pictures that Mask R-CNN is trained on."""


class Result(TypedDict):
    """What one network scored and took."""

    precision: dict[str, float]
    """Average precision of each picture."""
    steps: int
    minutes: float
    """Of training."""
    seconds: float
    """Of prediction, a picture."""


def main() -> int:
    """Parse the command line."""
    parser = make_parser(str(__doc__), "images/, labels/ and folds.json", "objects-run")
    parser.set_defaults(budget="20m")
    arguments = parser.parse_args()
    return finish("compare_maskrcnn", lambda: compare(arguments))


def compare(arguments: argparse.Namespace) -> None:
    """Train, predict, score and print."""
    ours = _train_unet(arguments.data, arguments.out / "ours", arguments, objects=True)
    training, held_out = split_cases(open_bundle(ours).cohort(), arguments.fold)
    plain_data = arguments.out / "plain-data"
    if not plain_data.exists():
        _drop_numbers([*training, *held_out], arguments.data, plain_data)
    plain = _train_unet(plain_data, arguments.out / "plain", arguments, objects=False)
    # torchvision is needed here alone, and only where something is left to do.
    runs = {
        OURS: _keep(arguments.out / "ours.json", lambda: _run_unet(ours, held_out)),
        PLAIN: _keep(arguments.out / "plain.json", lambda: _run_unet(plain, held_out)),
        PEER: _keep(arguments.out / "maskrcnn.json", lambda: _run_peer(training, held_out, arguments.budget)),
    }
    lines = [f"torch {torch.__version__}, {len(held_out)} pictures", "", tabulate(runs), ""]
    for other in (PLAIN, PEER):
        lines.append(f"{OURS} against {other}: {compare_values(runs[OURS]['precision'], runs[other]['precision'])}")
    text = "\n".join(lines)
    (arguments.out / "objects.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def _train_unet(data: Path, folder: Path, arguments: argparse.Namespace, *, objects: bool) -> Path:
    bundle = folder / "bundle"
    if not bundle.exists():
        medunet.init(data, bundle, budget_minutes=arguments.budget, labels=medunet.LabelChoices(objects=objects))
    try:
        medunet.train(bundle, fold=arguments.fold, budget_minutes=arguments.budget)
    except OutputExistsError:
        print(f"{folder.name} was trained before")
    return bundle


def _drop_numbers(cases: Sequence[Case], data: Path, folder: Path) -> None:
    """The same pictures with 1 for every object."""
    with whole_folder(folder) as part:
        for place in ("images", "labels"):
            (part / place).mkdir()
        for case in track(cases, "writing labels without numbers", len(cases)):
            picture, label = _locate(case)
            (part / "images" / picture.name).symlink_to(picture.absolute())
            Image.fromarray((_read_numbers(label) > 0).astype(np.uint8)).save(part / "labels" / label.name)
        write_json(part / "folds.json", read_json(data / "folds.json"))


def _locate(case: Case) -> tuple[Path, Path]:
    (channel,) = case.channels.values()
    return Path(channel.path), Path(case.label.path if case.label else "")


def _read_numbers(path: Path) -> Numbers:
    return np.asarray(Image.open(path)).astype(np.int64)


def _run_unet(bundle: Path, cases: Sequence[Case]) -> Result:
    training = open_bundle(bundle).trained()
    precision: dict[str, float] = {}
    seconds = 0.0
    for case in track(cases, "predicting", len(cases)):
        picture, label = _locate(case)
        (done,) = medunet.predict(bundle, picture)
        numbers = done.mask.voxels.astype(np.int64)
        if done.mask.kind == "classes":
            numbers, _ = ndimage.label(numbers)
        precision[case.id] = _score(numbers[..., 0].T, _read_numbers(label))
        seconds += done.seconds
    return Result(
        precision=precision,
        steps=training.count_steps(),
        minutes=training.minutes,
        seconds=seconds / len(cases),
    )


def _run_peer(training: Sequence[Case], cases: Sequence[Case], minutes: float) -> Result:
    import maskrcnn

    found = [_locate(case) for case in training]
    pictures = [
        (maskrcnn.read_picture(picture), maskrcnn.read_numbers(label))
        for picture, label in track(found, "reading", len(found))
        if max(Image.open(picture).size) <= MOST_PIXELS
    ]
    started = time.monotonic()
    network, steps = maskrcnn.train(pictures, minutes)
    taken = (time.monotonic() - started) / 60
    precision: dict[str, float] = {}
    seconds = 0.0
    for case in track(cases, "predicting", len(cases)):
        picture, label = _locate(case)
        begun = time.monotonic()
        numbers = maskrcnn.predict(network, maskrcnn.read_picture(picture))
        seconds += time.monotonic() - begun
        precision[case.id] = _score(numbers, _read_numbers(label))
    return Result(precision=precision, steps=steps, minutes=taken, seconds=seconds / len(cases))


def _score(predicted: Numbers, truth: Numbers) -> float:
    """Average precision of one picture, both (rows, columns); 1 where neither holds an object."""
    score = match_objects(predicted[..., None].astype(np.uint32), truth[..., None].astype(np.uint32))
    return 1.0 if score.precision is None else score.precision


def _keep(path: Path, run: Callable[[], Result]) -> Result:
    if not path.is_file():
        write_json(path, run())
    kept: Result = read_json(path)
    return kept


def tabulate(runs: dict[str, Result]) -> str:
    """Precision, training and prediction of each, as a Markdown table."""
    lines = ["| | AP 0.50 to 0.95 | steps | minutes | s a picture to predict |", "|---" * 5 + "|"]
    for name, run in runs.items():
        mean = np.mean(list(run["precision"].values()))
        lines.append(f"| {name} | {mean:.3f} | {run['steps']} | {run['minutes']:.1f} | {run['seconds']:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
