"""Networks are loaded strictly and run at the smallest size that they take."""

from pathlib import Path

import pytest
import torch
from monai.networks.nets import DynUNet
from plans import make_test_plan, write_test_bundle

from medunet.bundle import make_recipe, open_bundle, publish_weights
from medunet.files import hash_file
from medunet.handover.network import check_network, find_smallest, load_networks
from medunet.networks import build_network, make_network
from medunet.records import read_json


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = make_test_plan()
    folder = write_test_bundle(tmp_path_factory.mktemp("made") / "b", plan)
    publish_weights(folder, build_network(make_network(plan)).state_dict(), {})
    return folder


def load(folder: Path) -> tuple[torch.nn.Module, object]:
    opened = open_bundle(folder)
    recipe = make_recipe(opened)
    wanted = opened.metadata.weights_sha256
    assert wanted
    loaded = load_networks(recipe, {folder / "models" / "model.pt": wanted})
    assert loaded.findings == ()
    assert isinstance(loaded.networks[0], DynUNet)
    # MONAI names most of its weights twice.
    assert 0 < loaded.counts[0] < sum(value.numel() for value in loaded.networks[0].state_dict().values())
    return loaded.networks[0], recipe


def test_a_network_that_fits(bundle: Path) -> None:
    network, recipe = load(bundle)
    metadata = read_json(bundle / "configs" / "metadata.json")
    (found,) = check_network(network, recipe, metadata, bundle)  # type: ignore[arg-type]
    assert (found.severity, found.code) == ("note", "bundle-read")
    assert "from 8 voxels an axis on" in found.found
    assert find_smallest(network, 1, 3)[0] == 8
    assert find_smallest(network, 2, 3)[0] is None


def test_metadata_that_tells_other_channels_and_sizes(bundle: Path) -> None:
    network, recipe = load(bundle)
    metadata = read_json(bundle / "configs" / "metadata.json")
    for group, name in (("inputs", "image"), ("outputs", "pred")):
        metadata["network_data_format"][group][name]["num_channels"] = 5
    found = list(check_network(network, recipe, metadata, bundle))  # type: ignore[arg-type]
    assert [item.code for item in found if item.severity == "error"] == ["bundle-forward", "bundle-forward"]
    for shape, said in ((["8*n"] * 3, ""), (["n"] * 3, "fails"), (["2**p*n"] * 3, "fails"), (["x"] * 3, "no size")):
        metadata["network_data_format"]["inputs"]["image"] = {"num_channels": 1, "spatial_shape": shape}
        found = list(check_network(network, recipe, metadata, bundle))  # type: ignore[arg-type]
        told = [item.found for item in found if "inputs::image" in item.found]
        assert (said in told[0]) if said else (told == []), shape


def test_weights_that_do_not_fit_or_are_no_numbers(bundle: Path) -> None:
    recipe = make_recipe(open_bundle(bundle))
    path = bundle / "models" / "model.pt"
    assert load_networks(recipe, {path: "0" * 64}).findings[0].code == "weights-wrong"
    other = bundle / "models" / "other.pt"
    state = torch.load(path, weights_only=True)
    next(iter(state.values())).view(-1)[0] = torch.inf
    torch.save(state, other)
    found = load_networks(recipe, {other: hash_file(other)})
    assert found.networks == ()
    assert "no finite number" in found.findings[0].found
    other.unlink()
