import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from cohorts import write_cohort, write_pictures
from plans import make_test_plan, make_tiny_bundle
from stock import run_stock

import medunet
from medunet.bundle import (
    Bundle,
    make_recipe,
    open_bundle,
    publish_folds,
    publish_weights,
    write_bundle,
    write_calibration,
    write_weights,
)
from medunet.bundle.temperature import settle_temperature
from medunet.calibrating import MARGIN, calibrate_bundle, check_calibrated, draw_case
from medunet.cohort import Case, find_cohort, open_case
from medunet.errors import InputError
from medunet.evaluation import choose_cases
from medunet.inference import open_predictor, predict_case
from medunet.inference.computing import PLAIN
from medunet.labels import Mask, Region
from medunet.measuring import Fingerprint
from medunet.networks import build_network, make_network
from medunet.planning import Normalization
from medunet.records import read_json, write_json
from medunet.task import Separation


@pytest.fixture(scope="module")
def calibrated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained bundle with a temperature."""
    bundle = shutil.copytree(trained, tmp_path_factory.mktemp("calibrated") / "bundle")
    opened = open_bundle(bundle)
    write_calibration(bundle, calibrate_bundle(opened, choose_cases(opened, None)))
    return Path(bundle)


def open_first(folder: Path) -> tuple[Bundle, Case, Mask]:
    bundle = open_bundle(folder)
    choice = choose_cases(bundle, None)[0]
    return bundle, choice.cases[0], open_case(choice.cohort, choice.cases[0])[1]


def find_record(folder: Path) -> dict[str, Any]:
    (found,) = [content for path in folder.glob("*.json") if "recipe_sha256" in (content := read_json(path))]
    return dict(found)


def test_logits_are_those_of_the_scan_around_what_is_there(trained: Path) -> None:
    bundle, case, truth = open_first(trained)
    with open_predictor(bundle, None, PLAIN) as predictor:
        mask = predict_case(predictor, case)
        drawn = draw_case(predictor, case, truth, mask, (3, 500))
        again = draw_case(predictor, case, truth, mask, (3, 500))
        every = draw_case(predictor, case, truth, truth, (0, 10**9))
    assert drawn.group == 3
    assert drawn.voxels.logits.shape == (2, 500)
    assert np.array_equal(drawn.voxels.logits, again.voxels.logits)
    assert np.isfinite(drawn.voxels.logits).all()
    # By a softmax voxels belong to the mask where its logit is the larger.
    for part in drawn.parts:
        assert (part.logits[1] > part.logits[0]).all()
    around = np.argwhere(truth.is_labelled())
    if len(around):
        sides = np.ptp(around, axis=0) + 1 + 2 * np.ceil(MARGIN / np.array(truth.grid.spacing))
        assert every.voxels.logits.shape[1] <= np.prod(sides)
        assert every.voxels.truth.sum() == len(around)


def test_a_temperature_is_kept_and_masks_stay(trained: Path, calibrated: Path, tmp_path: Path) -> None:
    record = json.loads((calibrated / "docs" / "calibration.json").read_text())
    recipe = make_recipe(open_bundle(calibrated))
    assert recipe.decision.temperature == record["temperature"] != 1
    assert record["likelihood_after"] < record["likelihood_before"]
    scan = next(iter(open_first(trained)[1].channels.values())).path
    formats = ("nifti", "probabilities")
    for name, bundle in (("before", trained), ("after", calibrated)):
        medunet.predict(bundle, scan, output=tmp_path / name, formats=formats, backend="torch")
    ours, theirs = (find_record(tmp_path / name) for name in ("before", "after"))
    assert ours["outputs"]["nifti"]["sha256"] == theirs["outputs"]["nifti"]["sha256"]
    assert ours["outputs"]["probabilities"]["sha256"] != theirs["outputs"]["probabilities"]["sha256"]
    assert ours["recipe_sha256"] != theirs["recipe_sha256"]
    assert (ours["temperature"], theirs["temperature"]) == (1.0, record["temperature"])


def test_monai_alone_has_the_same_probabilities(calibrated: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(calibrated, tmp_path / "bundle"))
    path = bundle / "configs" / "inference.json"
    config = read_json(path)
    steps = config["postprocessing"]["transforms"]
    steps[-2] = {"_target_": "Activationsd", "keys": ["pred"], "softmax": True}
    steps[-1] |= {"dtype": "float32", "output_dtype": "float32"}
    write_json(path, config)
    volume = medunet.read_volume(next(iter(open_first(calibrated)[1].channels.values())).path)
    (tmp_path / "scans").mkdir()
    volume.save(tmp_path / "scans" / "a.nii.gz")
    theirs = run_stock(bundle, tmp_path / "scans", tmp_path / "theirs")
    scan = tmp_path / "scans" / "a.nii.gz"
    for name, folder in (("plain", trained_of(calibrated, tmp_path)), ("tempered", calibrated)):
        medunet.predict(folder, scan, output=tmp_path / name, formats=("probabilities",), backend="torch")
    plain, tempered = (read_probabilities(tmp_path / name) for name in ("plain", "tempered"))
    assert np.abs(tempered - theirs).max() < 1.6 / 255
    assert np.abs(plain - theirs).max() > 4 / 255


def trained_of(calibrated: Path, folder: Path) -> Path:
    """The same bundle without its temperature."""
    copy = Path(shutil.copytree(calibrated, folder / "copy"))
    settle_temperature(copy, [])
    return copy


def read_probabilities(folder: Path) -> np.ndarray:
    (path,) = folder.glob("*prob*.nii.gz")
    image = nib.load(path)
    return np.asarray(image.get_fdata())


def make_bundle(folder: Path, kind: str) -> Bundle:
    """A bundle of regions or of objects whose network knows nothing."""
    if kind == "regions":
        found = find_cohort(write_cohort(folder / "cohort", ("a", "b")))
        regions = (Region(name="whole", values=(1, 2), value=2), Region(name="core", values=(1,), value=1))
        cohort = found.model_copy(update={"labels": found.labels.model_copy(update={"regions": regions})})
        plan = make_test_plan().change(task={"labels": cohort.labels})
    else:
        cohort = find_cohort(write_pictures(folder / "cohort"), objects=True)
        cohort = cohort.model_copy(update={"folds": (("a", "b"), ("c", "d"))})
        names = {"channels": ("image",), "modalities": {"image": "OT"}, "components": {"image": 3}, "unit": "px"}
        objects = {"labels": cohort.labels, "objects": Separation(border=1, smallest=4)}
        plan = make_test_plan(dims=2).change(
            task={**names, **objects}, grid={"normalization": {"image": Normalization(kind="each")}}
        )
    write_bundle(folder / "bundle", plan, Fingerprint(cases=(), channels={}), cohort, {})
    torch.manual_seed(0)
    publish_weights(folder / "bundle", build_network(make_network(plan)).state_dict(), {"training": {"fold": 0}})
    return open_bundle(folder / "bundle")


@pytest.mark.parametrize(("kind", "names"), [("regions", ["whole", "core"]), ("objects", ["object"])])
def test_regions_and_objects(kind: str, names: list[str], tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, kind)
    choices = choose_cases(bundle, None)
    record = calibrate_bundle(bundle, choices)
    assert list(record.structures) == names
    assert record.cases == 2
    assert record.temperature != 1
    write_calibration(bundle.folder, record)
    case = choices[0].cases[0]
    masks = [predict_case(open_predictor(open_bundle(bundle.folder), None, PLAIN), case)]
    settle_temperature(bundle.folder, [])
    masks.append(predict_case(open_predictor(open_bundle(bundle.folder), None, PLAIN), case))
    assert masks[0].voxels.any()
    assert np.array_equal(masks[0].voxels, masks[1].voxels)
    assert masks[0].confidence != masks[1].confidence


def test_an_ensemble_is_calibrated_by_each_fold_on_its_own_cases(tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / "tiny", "abcd")
    files = {}
    for fold in range(2):
        torch.manual_seed(fold)
        files[fold] = folder / "work" / f"fold{fold}" / "model.pt"
        write_weights(files[fold], build_network(make_network(make_test_plan())).state_dict())
    publish_folds(folder, files, {"training": {"fold": "all"}})
    bundle = open_bundle(folder)
    record = calibrate_bundle(bundle, choose_cases(bundle, None))
    assert record.weights == tuple(sorted(bundle.metadata.fold_weights.values()))
    assert (record.cases, len(record.others)) == (4, 2)
    assert (folder / "work" / "fold1" / "held_out").is_dir()


def test_a_chain_of_another_bundle_is_refused(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = open_bundle(trained)
    other = replace(make_recipe(bundle), origin="elsewhere")
    monkeypatch.setattr("medunet.calibrating.take_recipe", lambda _: (other, {}))
    with pytest.raises(InputError, match="--calibrate: the chain of this bundle is that of another one"):
        check_calibrated(bundle)
    with pytest.raises(InputError, match=f"--calibrate: .*leave {tmp_path} out"):
        medunet.evaluate(trained, predictions=tmp_path, calibrate=True, output=tmp_path / "e")
