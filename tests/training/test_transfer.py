from pathlib import Path

import pytest
import torch
from plans import make_test_plan

from medunet.bundle import Bundle, publish_weights, write_bundle
from medunet.cohort import Case, Channel, Cohort
from medunet.errors import BundleError, InputError
from medunet.labels import LabelTable
from medunet.measuring import Fingerprint
from medunet.networks import build_network, make_network
from medunet.planning import NetworkPlan, Plan
from medunet.training import CONFIGS, find_run, fit_weights, prepare_start, read_start
from medunet.training.transfer import load_start


def make_bundle(folder: Path, plan: Plan, patients: str, seed: int | None = None) -> Bundle:
    """A bundle whose fold 0 holds out the first patient; trained if there is a seed."""
    (folder.parent / "x").touch()
    channels = {name: Channel(path=str(folder.parent / "x")) for name in plan.task.channels}
    cohort = Cohort(
        channels=plan.task.channels,
        modalities=plan.task.modalities,
        labels=plan.task.labels,
        cases=tuple(Case(id=name, patient=name, channels=channels) for name in patients),
        folds=((patients[0],), tuple(patients[1:])),
    )
    bundle = write_bundle(folder, plan, Fingerprint(cases=(), channels={}), cohort, CONFIGS)
    if seed is not None:
        torch.manual_seed(seed)
        state = build_network(bundle.inference["network_def"]).state_dict()
        publish_weights(folder, state, {"training": {"fold": 0}})
    return bundle


def open_again(bundle: Bundle) -> Bundle:
    from medunet.bundle import open_bundle

    return open_bundle(bundle.folder)


def test_what_fits_is_kept_in_the_run_and_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    source = open_again(make_bundle(tmp_path / "source", make_test_plan(), "ab", seed=1))
    bundle = make_bundle(tmp_path / "bundle", make_test_plan(channels=("ct", "pet")), "cd")
    start = prepare_start(bundle, 0, source)
    (line,) = start.left
    assert line.startswith("input_block.conv1.conv.weight: other channels, 4 × 1 × 3 × 3 × 3 there and 4 × 2 × 3")
    assert start.learning_rate == pytest.approx(0.3 * bundle.plan.training.learning_rate)
    run = find_run(bundle, 0)
    assert read_start(run) == start
    torch.manual_seed(5)
    network, other = (build_network(bundle.inference["network_def"]) for _ in range(2))
    other.load_state_dict(network.state_dict())
    load_start(run, network)
    theirs = torch.load(source.folder / "models" / "model.pt", weights_only=True)
    for name, value in network.state_dict().items():
        fits = name not in ("input_block.conv1.conv.weight", "skip_layers.downsample.conv1.conv.weight")
        assert torch.equal(value, theirs[name] if fits else other.state_dict()[name])
    assert f"{start.copied} of {start.copied + 1} tensors fit, learning rate 0.0003" in caplog.text
    assert prepare_start(bundle, 0, source) == start


def test_a_run_that_began_otherwise_is_refused(tmp_path: Path) -> None:
    sources = [open_again(make_bundle(tmp_path / f"s{seed}", make_test_plan(), "ab", seed=seed)) for seed in range(2)]
    bundle = make_bundle(tmp_path / "bundle", make_test_plan(), "cd")
    run = find_run(bundle, 0)
    run.save_checkpoint(1, {})
    with pytest.raises(InputError, match="fold 0 began without other weights; leave it out, or add --restart"):
        prepare_start(bundle, 0, sources[0])
    run.checkpoint(1).unlink()
    prepare_start(bundle, 0, sources[0])
    run.save_checkpoint(1, {})
    prepare_start(bundle, 0, sources[0])
    with pytest.raises(InputError, match="began from other weights, of s0"):
        prepare_start(bundle, 0, sources[1])
    run.start_weights.write_bytes(b"x")
    with pytest.raises(BundleError, match="its SHA-256"):
        load_start(run, torch.nn.Identity())


def test_a_network_that_knows_the_held_out_patients_is_refused(tmp_path: Path) -> None:
    source = open_again(make_bundle(tmp_path / "source", make_test_plan(), "abc", seed=1))
    bundle = make_bundle(tmp_path / "bundle", make_test_plan(), "bad")
    with pytest.raises(InputError, match="patient b, whom fold 0 holds out, was in its training"):
        prepare_start(bundle, 0, source)
    assert read_start(find_run(bundle, 0)) is None
    honest = make_bundle(tmp_path / "honest", make_test_plan(), "abc")
    assert prepare_start(honest, 0, source).left == ()


def test_what_fits_nowhere_is_refused(tmp_path: Path) -> None:
    source = open_again(make_bundle(tmp_path / "source", make_test_plan(), "ab", seed=1))
    plan = make_test_plan()
    bundle = make_bundle(tmp_path / "bundle", plan.change(network={"filters": (5, 10, 20)}), "cd")
    with pytest.raises(InputError, match="no convolution of it fits"):
        prepare_start(bundle, 0, source)
    untrained = make_bundle(tmp_path / "untrained", plan, "cd")
    with pytest.raises(BundleError, match="no weights"):
        prepare_start(bundle, 0, untrained)


def test_other_labels_leave_the_last_layer_out() -> None:
    plan = make_test_plan()
    network, other = (build_network(make_network(plan)) for _ in range(2))
    fitting, left = fit_weights(network, other.state_dict(), same_labels=False)
    assert sorted(line.split(":")[0] for line in left) == [
        "output_block.conv.conv.bias",
        "output_block.conv.conv.weight",
    ]
    assert all("other labels" in line for line in left)
    more = plan.change(task={"labels": LabelTable.from_names(["a", "b"])})
    _, left = fit_weights(build_network(make_network(more)), other.state_dict(), same_labels=False)
    assert all("other labels, 2" in line for line in left)
    own = [name for name in network.state_dict() if not name.startswith("skip_layers")]
    assert len(fitting) == len(own) - 2


def test_levels_are_counted_from_the_finest() -> None:
    plan = make_test_plan()
    ones, twos = (1, 1, 1), (2, 2, 2)
    deep = NetworkPlan(
        dims=3, filters=(4, 8, 16, 32), strides=(ones, twos, twos, twos), kernels=((3, 3, 3),) * 4, heads=1
    )
    deeper = build_network(make_network(plan.model_copy(update={"network": deep})))
    shallow = build_network(make_network(plan))
    fitting, left = fit_weights(deeper, shallow.state_dict(), same_labels=True)
    finest = "upsamples.{}.transp_conv.conv.weight"
    assert torch.equal(fitting[finest.format(2)], shallow.state_dict()[finest.format(1)])
    assert any(line.startswith("upsamples.0.") and "no such layer" in line for line in left)
