from pathlib import Path

import pytest
import torch
from plans import make_test_plan

from medunet.bundle import load_weights, publish_weights
from medunet.errors import BundleError
from medunet.networks import build_network, make_network
from medunet.records import read_json, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "configs" / "metadata.json", {"name": "b"})
    return tmp_path


def test_weights_come_back_by_their_hash(folder: Path) -> None:
    first, second = (build_network(make_network(make_test_plan())) for _ in range(2))
    publish_weights(folder, first.state_dict(), {"training": {"fold": 0}})
    metadata = read_json(folder / "configs" / "metadata.json")
    assert metadata["training"] == {"fold": 0}
    assert load_weights(folder, second, metadata) == metadata["weights_sha256"]
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_what_does_not_fit_is_counted(folder: Path) -> None:
    network = build_network(make_network(make_test_plan()))
    state = network.state_dict()
    state["extra"] = torch.zeros(1)
    name = next(iter(state))
    state[name] = torch.zeros(1)
    publish_weights(folder, state, {})
    with pytest.raises(BundleError, match="0 tensors are missing, 1 unknown and 1 of another shape"):
        load_weights(folder, network, {})


def test_a_pickle_of_objects_is_refused(folder: Path) -> None:
    (folder / "models").mkdir()
    torch.save({"a": Path("x")}, folder / "models" / "model.pt")
    with pytest.raises(BundleError, match="read safely"):
        load_weights(folder, torch.nn.Identity(), {})
