"""The self-test of a bundle: written, read by hashes, and compared."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from plans import make_test_plan, write_test_bundle

from medunet.bundle import open_bundle, publish_weights
from medunet.errors import BundleError
from medunet.handover.selftest import (
    LARGEST,
    PLACE,
    compare_masks,
    count_labels,
    read_selftest,
    renew_selftest,
    write_selftest,
)
from medunet.inference import Predictor, open_predictor, predict_scan
from medunet.inference.computing import PLAIN
from medunet.networks import build_network, make_network

SHIPPED = sorted((Path(__file__).parents[2] / "bundles").iterdir())
NUCLEI = SHIPPED[0]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return open_predictor(open_bundle(NUCLEI), computing=PLAIN)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_has_a_small_one(folder: Path) -> None:
    files = [path for path in (folder / PLACE).rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) < LARGEST


def test_it_is_written_again_without_a_difference(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / NUCLEI.name))
    (folder / PLACE / "stale").write_text("x")
    record = write_selftest(folder)
    assert sum(record.voxels.values()) >= 1000
    written = {path.relative_to(folder): path.read_bytes() for path in (folder / PLACE).rglob("*") if path.is_file()}
    assert written == {
        path.relative_to(NUCLEI): path.read_bytes() for path in (NUCLEI / PLACE).rglob("*") if path.is_file()
    }


def test_the_labels_are_those_that_are_expected(predictor: Predictor) -> None:
    case = read_selftest(NUCLEI, predictor)
    mask = predict_scan(predictor, case.scan())
    assert compare_masks(mask, case.mask) == {"object": pytest.approx(1.0, abs=5e-4)}
    assert count_labels(case.mask) == case.record.voxels
    moved = replace(mask, voxels=np.roll(mask.voxels, 3, axis=0))
    assert compare_masks(moved, case.mask)["object"] < 0.999
    nothing = replace(mask, voxels=np.zeros_like(mask.voxels))
    assert compare_masks(nothing, case.mask) == {"object": 0.0}
    assert compare_masks(nothing, nothing) == {}


def test_other_files_and_other_weights_are_refused(predictor: Predictor, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / "b"))
    other = replace(predictor, weights={"model.pt": "0" * 64})
    with pytest.raises(BundleError, match="it is of other weights") as caught:
        read_selftest(folder, other)
    assert caught.value.code == "bundle-selftest"
    shutil.copyfile(folder / PLACE / "mask.png", folder / PLACE / "images" / "case.png")
    with pytest.raises(BundleError, match="not the file that the self-test was written with"):
        read_selftest(folder, predictor)


def test_a_network_that_finds_nothing_has_none_and_loses_an_older_one(tmp_path: Path) -> None:
    plan = make_test_plan()
    folder = write_test_bundle(tmp_path / "b", plan)
    state = build_network(make_network(plan)).state_dict()
    state["output_block.conv.conv.weight"] = torch.zeros_like(state["output_block.conv.conv.weight"])
    state["output_block.conv.conv.bias"] = torch.tensor([1.0, -1.0])
    publish_weights(folder, state, {"training": {"fold": 0, "validation_dice": 0.5}})
    with pytest.raises(BundleError, match="finds nothing in 2 made-up cases") as caught:
        write_selftest(folder, 2)
    assert caught.value.code == "bundle-selftest"
    (folder / PLACE).mkdir()
    renew_selftest(folder)
    assert not (folder / PLACE).exists()


def test_one_follows_a_training_that_is_good_enough(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(NUCLEI, tmp_path / "b"))
    shutil.rmtree(folder / PLACE)
    renew_selftest(folder)
    assert (folder / PLACE / "selftest.json").is_file()
    path = folder / "configs" / "metadata.json"
    path.write_text(path.read_text().replace('"validation_dice": 0.69', '"validation_dice": 0.0'))
    renew_selftest(folder)
    assert not (folder / PLACE).exists()
