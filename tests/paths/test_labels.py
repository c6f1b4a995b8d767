"""The path with regions that overlap and with voxels to be ignored, as nnU-Net's users have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from discs import read
from PIL import Image
from plans import pin_schedule
from stock import in_float32, measure_dice, run_monai

import medunet
from medunet.labels import LabelTable
from medunet.records import read_json, write_json

REGIONS = {"background": 0, "whole": [1, 2, 3], "inner": [2, 3], "core": 2}
ORDER = {"regions_class_order": [1, 3, 2]}
"""In another order than the values: the ring between is written as 3, the core as 2."""


def draw_targets(folder: Path, labels: dict[str, Any], count: int = 8, *, hide: bool = False) -> Path:
    """Discs in discs, a grey level each, in nnU-Net's layout; where hidden, a half is wrong and to be ignored."""
    random = np.random.default_rng(7)
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    y, x = np.mgrid[:80, :96]
    for number in range(count):
        grey, label = random.normal(40, 8, (80, 96)), np.zeros((80, 96), np.uint8)
        for _ in range(3):
            distance = np.hypot(y - random.uniform(15, 65), x - random.uniform(15, 81))
            for value, radius in ((1, 14.0), (2, 10.0), (3, 6.0)):
                label[distance <= radius] = value
        grey += np.array([0, 50, 100, 150])[label]
        if hide:
            label = (label > 0).astype(np.uint8)
            label[:, 48:] = 2
        else:
            label = np.array([0, 1, 3, 2], np.uint8)[label]
        Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(folder / "imagesTr" / f"t{number}_0000.png")
        Image.fromarray(label).save(folder / "labelsTr" / f"t{number}.png")
    write_json(folder / "dataset.json", {"channel_names": {"0": "grey"}, "file_ending": ".png", **labels})
    return folder


def train(folder: Path, bundle: Path, steps: int) -> LabelTable:
    table = medunet.init(folder, bundle, budget_minutes=0.3).task.labels
    pin_schedule(bundle, epochs=4, steps_per_epoch=steps // 4)
    medunet.train(bundle)
    return table


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with regions and a bundle that was trained on it for 160 steps; don't change them."""
    folder = draw_targets(tmp_path_factory.mktemp("nested") / "data", {"labels": REGIONS, **ORDER})
    table = train(folder, folder.parent / "bundle", 160)
    assert [(region.name, region.values, region.value) for region in table.regions] == [
        ("whole", (1, 2, 3), 1),
        ("inner", (2, 3), 3),
        ("core", (2,), 2),
    ]
    return folder, folder.parent / "bundle"


def test_nested_regions_are_learnt_and_monai_alone_agrees(nested: tuple[Path, Path], tmp_path: Path) -> None:
    folder, bundle = nested
    images, masks = folder / "imagesTr", tmp_path / "data" / "labels"
    with in_float32():
        medunet.predict(bundle, images, output=masks, backend="torch")
    for path in images.iterdir():
        (masks / path.name.replace("_0000", "")).rename(masks / path.name)  # each case has its name in the cohort
    options = ("--dataset_dir", images, "--output_dir", tmp_path / "out")
    config = bundle / "configs" / "inference.json"
    run_monai("run", "--config_file", config, *options, cwd=tmp_path, pictures=True)
    scores = []
    for path in sorted(images.iterdir()):
        ours, theirs = read(masks / path.name), read(tmp_path / "out" / f"{path.stem}_mask.png")
        truth = read(folder / "labelsTr" / path.name.replace("_0000", ""))
        for values in ((1, 2, 3), (2, 3), (2,)):
            one, other = np.isin(ours, values), np.isin(theirs, values)
            assert one.any(), "agreement on nothing proves nothing"
            assert measure_dice(one, other) >= 0.999
            scores.append(measure_dice(one, np.isin(truth, values)))
    assert min(scores) > 0.7
    # evaluate.json scores regions of label maps.
    (tmp_path / "data" / "images").symlink_to(images)
    options = ("--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "eval")
    config = bundle / "configs" / "evaluate.json"
    run_monai("run", "--config_file", config, *options, cwd=tmp_path, pictures=True)
    rows = (tmp_path / "eval" / "val_mean_dice_raw.csv").read_text().splitlines()
    assert all(row.count(",") == 4 for row in rows)  # name, three regions, mean
    assert float((tmp_path / "eval" / "metrics.csv").read_text().replace(",", " ").split()[-1]) >= 0.999


def test_regions_are_scored_by_name(nested: tuple[Path, Path], tmp_path: Path) -> None:
    folder, bundle = nested
    result = medunet.evaluate(bundle, output=tmp_path / "evaluation")
    assert result.scores.labels == ("whole", "inner", "core")
    assert "inner" in result.table
    dice = [score.dice for score in result.scores.of_first() if score.dice is not None]
    validation = read_json(bundle / "configs" / "metadata.json")["training"]["validation_dice"]
    # Pictures are not resampled, so both measure the same voxels.
    assert np.mean(dice) == pytest.approx(validation, abs=1e-3)
    assert {"0": "whole", "1": "inner", "2": "core"} == read_json(bundle / "configs" / "metadata.json")[
        "network_data_format"
    ]["outputs"]["pred"]["channel_def"]
    case = result.scores.of_first()[0].case
    truth = read(folder / "labelsTr" / f"{case}.png")
    volumes = {score.label: score.truth_ml for score in result.scores.of_first() if score.case == case}
    assert volumes["inner"] == np.isin(truth, (2, 3)).sum()


def test_what_is_ignored_is_neither_learnt_nor_scored(tmp_path: Path) -> None:
    labels = {"background": 0, "disc": 1, "ignore": 2}
    folder, bundle = draw_targets(tmp_path / "data", {"labels": labels}, hide=True), tmp_path / "bundle"
    assert train(folder, bundle, 60).ignore == 2
    result = medunet.evaluate(bundle, output=tmp_path / "evaluation")
    scores = result.scores.of_first()
    assert result.scores.labels == ("disc",)
    assert min(score.dice for score in scores if score.dice is not None) > 0.8
    validation = read_json(bundle / "configs" / "metadata.json")["training"]["validation_dice"]
    assert np.mean([score.dice for score in scores]) == pytest.approx(validation, abs=1e-3)
    with in_float32():
        masks = medunet.predict(bundle, folder / "imagesTr", output=tmp_path / "masks", backend="torch")
    for mask in masks:
        values = read(tmp_path / "masks" / f"{mask.id}.png")
        assert set(np.unique(values)) == {0, 1}
        # Discs in the half that was hidden are found like the others.
        assert values[:, 48:].any()
    # MONAI alone: the masks against labels with half of the voxels to be ignored.
    (tmp_path / "data" / "images").symlink_to(folder / "imagesTr")
    (tmp_path / "data" / "labels").mkdir()
    for path in (folder / "labelsTr").iterdir():
        hidden = np.where(read(path) == 2, 2, read(tmp_path / "masks" / path.name))
        Image.fromarray(hidden.astype(np.uint8)).save(tmp_path / "data" / "labels" / f"{path.stem}_0000.png")
    options = ("--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "eval")
    config = bundle / "configs" / "evaluate.json"
    run_monai("run", "--config_file", config, *options, cwd=tmp_path, pictures=True)
    assert float((tmp_path / "eval" / "metrics.csv").read_text().replace(",", " ").split()[-1]) >= 0.999
