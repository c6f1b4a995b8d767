"""The path on pictures: grey and colour PNG of several sizes to a 2D network, its masks and scores, and MONAI alone."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from commands import run
from discs import draw_discs, read
from PIL import Image
from plans import pin_schedule
from scipy import ndimage
from stock import in_float32, measure_dice, run_monai

import medunet
from medunet.evaluation import summarize
from medunet.objects import separate_objects


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    draw_discs(folder, 10)
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained for 60 steps; don't change it."""
    bundle = tmp_path_factory.mktemp("flat") / "bundle"
    plan = medunet.init(folder, bundle, budget_minutes=0.3, labels=medunet.LabelChoices(objects=True))
    assert (plan.network.dims, plan.task.unit, plan.task.components) == (2, "px", {"image": 3})
    assert plan.task.objects is not None
    assert plan.task.name_classes() == ("background", "interior", "border")
    pin_schedule(bundle, epochs=3, steps_per_epoch=20)
    medunet.train(bundle)
    return bundle


def test_masks_lie_on_the_pictures(
    bundle: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "predict", bundle, folder / "images", "-o", tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert " objects (" in out
    assert "mL" not in out
    scores: list[float] = []
    for path in sorted((folder / "labels").iterdir()):
        mask, label = read(tmp_path / "out" / path.name), read(path)
        assert mask.dtype == np.uint16
        assert np.array_equal(np.unique(mask), np.arange(mask.max() + 1))
        # Too few steps for the border, so discs that overlap may be one.
        assert ndimage.label(label)[1] - 1 <= mask.max() <= len(np.unique(label))
        assert mask.shape == label.shape
        scores.append(measure_dice(mask, label))
    assert min(scores) > 0.8


def test_scores_stand_beside_floors_in_pixels(bundle: Path, folder: Path, tmp_path: Path) -> None:
    medunet.predict(bundle, folder / "images", output=tmp_path / "masks", backend="torch")
    result = medunet.evaluate(bundle, predictions=tmp_path / "masks", output=tmp_path / "evaluation")
    assert result.scores.unit == "px"
    page = re.sub('base64,[^"]*|<script.*?</script>', "", result.report.read_text(), flags=re.DOTALL)
    for text in (result.table, page):
        assert "mL" not in text
        assert "2 mm" not in text.replace("2mm", "2 mm")
    for score in result.scores.methods["medunet"]:
        label, mask = (read(place / f"{score.case}.png") for place in (folder / "labels", tmp_path / "masks"))
        assert score.dice == pytest.approx(measure_dice(mask, label))
        assert score.truth_ml == (label > 0).sum()
    assert list(result.scores.methods) == ["medunet", "components", "ellipsoid", "threshold"]
    assert result.scores.objects
    dice = [[score.dice for score in result.scores.methods[name]] for name in ("medunet", "components")]
    assert dice[0] == dice[1]
    means = {row.method: row.precision_50 or 0 for row in summarize(result.scores)}
    assert means["medunet"] > max(0.2, means["ellipsoid"])
    assert "AP 0.5" in result.table
    assert "AP of objects" in page


def test_monai_alone_agrees(bundle: Path, folder: Path, tmp_path: Path) -> None:
    images = Path(shutil.copytree(folder / "images", tmp_path / "data" / "images"))
    colour = read(images / "disc1.png")
    Image.fromarray(np.dstack([colour, np.full(colour.shape[:2], 255, np.uint8)])).save(images / "alpha.png")
    Image.fromarray(read(images / "disc0.png").astype(np.uint16) * 200).save(images / "deep.png")
    with in_float32():
        medunet.predict(bundle, images, output=tmp_path / "data" / "labels")
    configs, plan = bundle / "configs", medunet.plan(bundle)
    options = ("--dataset_dir", images, "--output_dir", tmp_path / "out")
    run_monai("run", "--config_file", configs / "inference.json", *options, cwd=tmp_path, pictures=True)
    assert len(list(images.iterdir())) == 12
    for path in images.iterdir():
        ours = read(tmp_path / "data" / "labels" / path.name)
        theirs = read(tmp_path / "out" / f"{path.stem}_mask.png")
        assert set(np.unique(theirs)) <= {0, 1, 2}
        numbers = separate_objects(theirs[..., None], plan.task.objects.smallest if plan.task.objects else 0)[..., 0]
        assert measure_dice(ours, numbers) >= 0.999
        assert abs(int(ours.max()) - int(numbers.max())) <= 1
        # What is too small to be an object is in the class map, so that is what evaluate.json must agree with.
        Image.fromarray((theirs > 0).astype(np.uint16)).save(tmp_path / "data" / "labels" / path.name)
        assert ours.any(), "agreement on nothing proves nothing"
    options = ("--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "eval")
    run_monai("run", "--config_file", configs / "evaluate.json", *options, cwd=tmp_path, pictures=True)
    summary = (tmp_path / "eval" / "metrics.csv").read_text()
    assert float(summary.replace(",", " ").split()[-1]) >= 0.999
    packages = json.loads((configs / "metadata.json").read_text())["required_packages_version"]
    assert "pillow" in packages
    assert "nibabel" not in packages


def test_monai_alone_says_that_there_is_no_picture(bundle: Path, tmp_path: Path) -> None:
    config = bundle / "configs" / "inference.json"
    out = run_monai("run", "--config_file", config, "--dataset_dir", tmp_path, cwd=tmp_path, code=1, pictures=True)
    assert "no image *.png in" in out


def make_jpeg(folder: Path) -> None:
    Image.fromarray(read(folder / "images" / "disc1.png")).save(folder / "images" / "disc1.png", format="JPEG")


def cut_label(folder: Path) -> None:
    Image.fromarray(read(folder / "labels" / "disc1.png")[:-1]).save(folder / "labels" / "disc1.png")


def colour_label(folder: Path) -> None:
    Image.fromarray(read(folder / "images" / "disc1.png")).save(folder / "labels" / "disc1.png")


def clear_images(folder: Path) -> None:
    shutil.rmtree(folder / "images")
    (folder / "images").mkdir()


def mix_in_a_volume(folder: Path) -> None:
    image = nib.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4))
    nib.save(image, folder / "v.nii.gz")
    cases = [
        {"id": name, "patient": name, "channels": {"image": {"path": path}}, "label": {"path": label}}
        for name, path, label in (
            ("flat", "images/disc0.png", "labels/disc0.png"),
            ("deep", "v.nii.gz", "v.nii.gz"),
        )
    ]
    labels = {"labels": [{"value": 1, "name": "disc", "colour": [0, 0, 255]}], "objects": True}
    content = {"channels": ["image"], "modalities": {"image": "OT"}, "labels": labels, "cases": cases}
    (folder / "cohort.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (make_jpeg, (), "disc1.png: it is named PNG but is JPEG inside"),
        (cut_label, (), "labels/disc1.png: its shape (128, 127, 1) is not (128, 128, 1), that of its image"),
        (colour_label, (), "labels/disc1.png: it holds 3 components"),
        (clear_images, (), "it holds no DICOM image"),
        (mix_in_a_volume, (), "has no physical size, that of case deep has one"),
        (lambda _: None, ("--dims", "3"), "is one slice"),
    ],
)
def test_a_wrong_cohort_is_one_sentence(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Path], None],
    options: tuple[str, ...],
    words: str,
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "in"))
    change(copy)
    assert run(monkeypatch, "init", copy, tmp_path / "bundle", "--objects", *options) == 2
    assert words in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "bundle").exists()


def test_a_wrong_scan_is_one_sentence(
    bundle: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4)), tmp_path / "v.nii.gz")
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.png").write_bytes((folder / "images" / "disc0.png").read_bytes()[:300])
    clear = np.zeros((20, 20, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    for scan, words in (
        (tmp_path / "v.nii.gz", "v.nii.gz: it is no picture, but the bundle takes pictures; give PNG"),
        (tmp_path / "empty", "empty: it holds no PNG"),
        (tmp_path / "cut.png", "cut.png: it ends after 300 bytes"),
        (tmp_path / "clear.png", "its alpha channel makes 400 pixels transparent"),
    ):
        assert run(monkeypatch, "predict", bundle, scan, "-o", tmp_path / "out") == 2
        assert words in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()
