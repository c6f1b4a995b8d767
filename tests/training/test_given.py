"""The weights that a bundle was made with, output by output."""

from pathlib import Path
from typing import Any

import pytest
import torch
from cohorts import write_cohort
from plans import make_test_plan
from zoo import UNET, write_random_weights, write_zoo_bundle
from zoo_styles import SEGRESNET

from medunet.bundle import open_bundle, read_source
from medunet.errors import BundleError
from medunet.networks import build_network, make_network
from medunet.planner import Wishes, make_bundle
from medunet.records import read_json, write_json
from medunet.training import find_run, fit_outputs, fit_start, read_start, take_start


@pytest.mark.parametrize("network", [{**UNET, "num_res_units": 0, "out_channels": 4}, {**SEGRESNET, "out_channels": 4}])
def test_outputs_of_the_same_name_are_copied(network: dict[str, Any], tmp_path: Path) -> None:
    """Two of three labels in another order: their logits are those of the other network."""
    zoo = write_zoo_bundle(tmp_path / "zoo", network)
    write_random_weights(zoo)
    source = read_source(zoo)
    given = source.given.network
    plan = make_test_plan().change(network={"filters": (), "strides": (), "kernels": (), "heads": 0})
    assert given.given is not None
    definition = given.given.definition | {"out_channels": 3}
    made = given.model_copy(update={"given": given.given.model_copy(update={"definition": definition})})
    labels = plan.task.labels.from_names(["organ 3", "organ 1"])
    plan = plan.model_copy(update={"network": made, "task": plan.task.model_copy(update={"labels": labels})})
    fitted = fit_start(source, plan)
    assert not fitted.new
    ours, theirs = build_network(make_network(plan)).eval(), build_network(source.network).eval()
    ours.load_state_dict(fitted.state)
    theirs.load_state_dict(dict(source.weights))
    image = torch.rand(1, 1, 32, 32, 32)
    with torch.no_grad():
        assert torch.allclose(ours(image), theirs(image)[:, [0, 3, 1]], atol=1e-5)


def test_what_is_new_and_what_is_left_out() -> None:
    own = {"a": torch.zeros(2), "head": torch.zeros(3, 2), "wide": torch.zeros(4)}
    theirs = {"a": torch.ones(2), "head": torch.ones(2, 2), "wide": torch.ones(5), "more": torch.ones(1)}
    fitted = fit_outputs(own, theirs, {"head": [0]}, [0, None, 1])
    assert fitted.taken == ("a",)
    assert fitted.new == ("head: 1 of 3 outputs are of other labels", "wide: another size, [5] there and [4] here")
    assert fitted.unused == ("more",)
    assert fitted.state["head"].tolist() == [[1, 1], [0, 0], [1, 1]]
    assert fitted.describe().startswith("1 of 3 tensors are taken, 2 are new (head: 1 of 3")
    none = fit_outputs(own, theirs, {"head": [0]}, [None, None, None])
    assert "head" not in none.state


def test_each_run_starts_from_them_unless_the_network_was_changed(tmp_path: Path) -> None:
    zoo = write_zoo_bundle(tmp_path / "zoo")
    write_random_weights(zoo)
    folder = tmp_path / "b"
    make_bundle(write_cohort(tmp_path / "cohort"), folder, Wishes(budget_minutes=0.2), start=zoo)
    bundle, run = open_bundle(folder), find_run(open_bundle(folder), 1)
    run.path.mkdir()
    take_start(bundle, run)
    start = read_start(run)
    assert start is not None
    assert (start.bundle, start.left, start.learning_rate) == ("zoo", (), 3e-4)
    theirs = torch.load(zoo / "models" / "model.pt")
    ours = torch.load(run.start_weights)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    path = folder / "configs" / "plan.json"
    plan = read_json(path)
    plan["network"]["given"]["definition"]["channels"] = [8, 8]
    write_json(path, plan)
    with pytest.raises(BundleError, match="the weights of zoo don't fit the network any more"):
        take_start(open_bundle(folder), find_run(bundle, 0))
    plan["network"]["given"]["definition"] = {"_target_": "os.system", "command": "true"}
    write_json(path, plan)
    with pytest.raises(BundleError, match=r"no network of MONAI's") as caught:
        open_bundle(folder)
    assert caught.value.code == "bundle-untrusted"
