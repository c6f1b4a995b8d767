"""What is told of a bundle before a scan is there."""

from pathlib import Path

import torch
from zoo import ARGMAX, UNET, write_metadata, write_random_weights, write_zoo_bundle

from medunet.bundle import check_bundle


def test_a_bundle_of_medunet(trained: Path, untrained: Path) -> None:
    (found,) = check_bundle(trained)
    assert (found.severity, found.code) == ("note", "bundle-read")
    assert found.found.startswith("read as DynUNet of ct (CT)")
    assert [item.code for item in check_bundle(untrained)] == ["weights-missing"]


def test_one_from_elsewhere_with_all_that_is_odd(tmp_path: Path) -> None:
    chain = [{"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"}]
    spoken = {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: x"}
    folder = write_zoo_bundle(tmp_path / "b", {**UNET, "act": "$print('hacked')"}, chain, [ARGMAX, spoken])
    torch.save({}, folder / "models" / "model.pt")
    found = check_bundle(folder)
    assert [item.code for item in found] == [*["bundle-untrusted"] * 2, "bundle-unoriented", "bundle-ignored"]
    assert {item.option for item in found[:2]} == {"--trust"}
    assert "network_def::act" in found[0].found


def test_weights_are_loaded(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b")
    write_random_weights(folder)
    assert [item.code for item in check_bundle(folder)] == ["bundle-read", "bundle-ignored"]
    torch.save({"a": torch.zeros(1)}, folder / "models" / "model.pt")
    assert check_bundle(folder)[0].code == "weights-wrong"


def test_what_cannot_be_opened_or_is_for_something_else(tmp_path: Path) -> None:
    (tmp_path / "none" / "configs").mkdir(parents=True)
    assert [item.code for item in check_bundle(tmp_path / "none")] == ["bundle-wrong"]
    folder = write_zoo_bundle(tmp_path / "b")
    write_metadata(folder, UNET, format="image")
    (found,) = check_bundle(folder)
    assert "isn't for segmentation" in found.found
