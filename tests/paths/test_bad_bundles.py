"""Bundles from elsewhere that can't be used: one sentence each, exit code 2, before a scan is read."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cohorts import write_cohort, write_pictures
from plans import make_tiny_bundle
from typer.testing import CliRunner
from zoo import ARGMAX, INVERT, SAVE, UNET, oriented, patches, read_config, write_metadata, write_random_weights
from zoo import write_zoo_bundle as write
from zoo_styles import LOAD

from medunet.cli import main
from medunet.cli.app import app

Change = Callable[[Path], None]


def config(**entries: Any) -> Change:
    """Give entries of inference.json other values."""

    def change(folder: Path) -> None:
        path = folder / "configs" / "inference.json"
        path.write_text(json.dumps({**read_config(folder), **entries}))

    return change


def chain(*steps: Any) -> Change:
    return config(preprocessing={"_target_": "Compose", "transforms": list(steps)})


def post(*steps: Any) -> Change:
    return config(postprocessing={"_target_": "Compose", "transforms": [*steps, SAVE]})


def network(**arguments: Any) -> Change:
    return config(network_def={**UNET, **arguments})


def text(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content) and None


def weights(make: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    def change(folder: Path) -> None:
        path = folder / "models" / "model.pt"
        torch.save(make(torch.load(path)), path)

    return change


def output(**entries: Any) -> Change:
    return lambda folder: write_metadata(folder, UNET, **entries)


def task(name: str, **entries: Any) -> Change:
    def change(folder: Path) -> None:
        write_metadata(folder, UNET, **entries)
        path = folder / "configs" / "metadata.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "task": name}))

    return change


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


LOADER = {"_target_": "CheckpointLoader", "load_path": "models/other.pt", "load_dict": {"model": "@network"}}
SPOKEN = {"_target_": "Lambdad", "keys": "image", "func": "$lambda x: x * 2"}
WRONG: dict[str, tuple[Change, str, str]] = {
    "no weights": (remove("models/model.pt"), "the bundle's weights are missing", "weights-missing"),
    "weights of another network": (
        weights(lambda state: {f"other.{name}": value for name, value in state.items()}),
        r"\d+ tensors are missing, \d+ unknown and 0 of another shape",
        "weights-wrong",
    ),
    "weights of a wider network": (
        weights(
            lambda state: {name: torch.cat([value, value]) if value.ndim else value for name, value in state.items()}
        ),
        r"0 tensors are missing, 0 unknown and \d+ of another shape",
        "weights-wrong",
    ),
    "a chain without inverse": (
        chain(*oriented((3, 3, 3)), {"_target_": "SqueezeDimd", "keys": "image"}),
        "SqueezeDimd .* can't be undone",
        "bundle-wrong",
    ),
    "an unknown transform": (
        chain(*oriented((3, 3, 3)), {"_target_": "Sharpend", "keys": "image"}),
        "has no transform 'Sharpend'",
        "bundle-wrong",
    ),
    "an argument that this MONAI lacks": (network(depth=3), "UNet of MONAI .* has no argument 'depth'", "bundle-wrong"),
    "an expression": (
        network(out_channels="$len(@names)"),
        r"'network_def::out_channels'.*--trust",
        "bundle-untrusted",
    ),
    "detection": (
        task("Detection of nodules", type="object", format="dict"),
        "isn't for segmentation .*Detection of nodules",
        "bundle-wrong",
    ),
    "generation": (task("Image synthesis", format="image"), "isn't for segmentation .*Image synthesis", "bundle-wrong"),
    "classification": (
        task("Classification", type="probabilities", format="classes"),
        "isn't for segmentation",
        "bundle-wrong",
    ),
    # Neighbours of these.
    "random steps": (
        chain(*oriented((3, 3, 3)), {"_target_": "RandFlipd", "keys": "image", "prob": 0.5}),
        "RandFlipd .* can't be undone",
        "bundle-wrong",
    ),
    "a lambda in the chain": (chain(*oriented((3, 3, 3)), SPOKEN), r"lambda x: x \* 2.*--trust", "bundle-untrusted"),
    "a lambda that decides": (
        post(ARGMAX, {**SPOKEN, "keys": "pred"}, INVERT),
        r"postprocessing::transforms::1::func.*--trust",
        "bundle-untrusted",
    ),
    "a script": (network(_target_="scripts.net.Net"), r"'scripts.net.Net'.*--trust", "bundle-untrusted"),
    "a network that decides nothing": (
        network(_target_="Discriminator"),
        "'Discriminator'.*--trust",
        "bundle-untrusted",
    ),
    "a switch that is an expression": (
        chain(*oriented((3, 3, 3))[:-1], {"_target_": "EnsureTyped", "keys": "image", "_disabled_": "$1 > 0"}),
        r"_disabled_.*--trust",
        "bundle-untrusted",
    ),
    "an entry that refers to itself": (
        config(image_key="@image_key"),
        "'image_key' is '@image_key', which isn't understood",
        "bundle-wrong",
    ),
    "an entry that isn't there": (config(inferer="@nowhere"), "'inferer' is '@nowhere', which isn't", "bundle-wrong"),
    "files of weights": (config(another=LOADER), "several files of weights", "bundle-wrong"),
    "weights that are no file of torch": (
        text("models/model.pt", "PK"),
        "no weights that can be read",
        "weights-wrong",
    ),
    "a pickle": (weights(lambda _: {"model": object()}), "no weights that can be read safely", "weights-wrong"),
    "an empty file of weights": (weights(lambda _: {}), r"\d+ tensors are missing", "weights-wrong"),
    "damaged JSON": (text("configs/inference.json", '{"network_def": '), "no valid JSON", "file-damaged"),
    "a key twice": (text("configs/inference.json", '{"a": 1, "a": 2}'), "stands there twice", "file-damaged"),
    "a list": (text("configs/inference.json", "[]"), "it holds no keys", "bundle-wrong"),
    "no metadata": (remove("configs/metadata.json"), "there is no such file", "path-missing"),
    "another inferer": (config(inferer={"_target_": "PatchInferer"}), "'PatchInferer' is none", "bundle-wrong"),
    "a patch of two axes": (
        config(inferer={**patches(16), "roi_size": [16, 16]}),
        "'inferer::roi_size'",
        "bundle-wrong",
    ),
    "an overlap of more than all": (
        config(inferer={**patches(16), "overlap": 1.5}),
        "'inferer::overlap'",
        "bundle-wrong",
    ),
    "no loading": (chain(*oriented((3, 3, 3))[1:]), "doesn't begin with LoadImaged", "bundle-wrong"),
    "no steps": (chain(), "doesn't begin with LoadImaged", "bundle-wrong"),
    "other channels": (network(in_channels=2), "takes 2 channels", "bundle-wrong"),
    "labels that overlap": (
        post({"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}, INVERT),
        "may overlap",
        "bundle-wrong",
    ),
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = write(tmp_path / "bundle")
    write_random_weights(folder)
    return folder


Refuse = Callable[..., str]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Runs a command in this process, which must end with code 2; gives its last line."""

    def run(said: str, *command: object) -> str:
        monkeypatch.setattr("sys.argv", ["medunet", *map(str, command)])
        with pytest.raises(SystemExit) as caught:
            main()
        output = capsys.readouterr()
        assert caught.value.code == 2, output
        assert "Traceback" not in output.err
        line = output.err.strip().splitlines()[-1]
        assert re.search(said, line), line
        return line

    return run


@pytest.mark.parametrize("name", WRONG)
def test_a_sentence_before_a_scan_is_read(name: str, bundle: Path, tmp_path: Path, refuse: Refuse) -> None:
    change, said, code = WRONG[name]
    change(bundle)
    scan = tmp_path / "scan.nii.gz"
    scan.write_text("no scan")
    line = refuse(said, "predict", bundle, scan, "-o", tmp_path / "out")
    assert line.startswith("medunet: ")
    assert line.count(str(scan)) == 0
    assert not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, ["check", str(bundle), "--json"])
    assert done.exit_code == 2
    assert code in done.output


FURTHER: dict[str, tuple[Change, str]] = {
    "a script": (network(_target_="scripts.net.Net"), "'scripts.net.Net', which is more than data"),
    "a lambda in the chain": (chain(*oriented((3, 3, 3)), SPOKEN), "more than data, and so can't be trained further"),
    "no weights": (remove("models/model.pt"), "weights are missing"),
    "weights of another network": (weights(lambda state: {"a": torch.zeros(1)}), r"\d+ tensors are missing"),
    "several channels": (
        config(
            network_def={**UNET, "in_channels": 2},
            preprocessing={
                "_target_": "Compose",
                "transforms": [
                    {**LOAD, "keys": ["t1", "t2"]},
                    {"_target_": "EnsureChannelFirstd", "keys": ["t1", "t2"]},
                    {"_target_": "ConcatItemsd", "keys": ["t1", "t2"], "name": "image"},
                ],
            },
        ),
        r"it takes 2 channels \(t1, t2\); choose them with --channels",
    ),
    "pictures": (
        config(network_def={**UNET, "spatial_dims": 2}, inferer=patches(16) | {"roi_size": [16, 16]}),
        "its 2D network takes pictures of two axes, and the cohort holds volumes",
    ),
    "slices across another axis": (
        config(network_def={**UNET, "spatial_dims": 2}, inferer={"_target_": "SliceInferer", "roi_size": [16, 16]}),
        "its slices lie across axis 0",
    ),
    "patches that the network doesn't take": (config(inferer=patches(15)), "UNet fails on patches of 15 × 15 × 15"),
}


@pytest.mark.parametrize("name", FURTHER)
def test_what_cannot_be_trained_further(name: str, bundle: Path, tmp_path: Path, refuse: Refuse) -> None:
    change, said = FURTHER[name]
    change(bundle)
    if name in ("several channels", "pictures", "slices across another axis"):
        write_random_weights(bundle)
    cohort = write_cohort(tmp_path / "cohort")
    refuse(said, "init", cohort, tmp_path / "b", "--from", bundle)
    assert not (tmp_path / "b").exists()


def test_volumes_for_pictures_and_other_axes(bundle: Path, tmp_path: Path, refuse: Refuse) -> None:
    pictures = write_pictures(tmp_path / "pictures")
    refuse(
        "3D network takes volumes, and the cohort holds pictures", "init", pictures, tmp_path / "b", "--from", bundle
    )
    cohort = write_cohort(tmp_path / "cohort")
    said = "--dims 2: its network has 3 axes; leave the option away"
    refuse(said, "init", cohort, tmp_path / "b", "--from", bundle, "--dims", "2")


def test_training_from_it_says_how(bundle: Path, tmp_path: Path, refuse: Refuse) -> None:
    untrained = make_tiny_bundle(tmp_path / "tiny", "ab")
    refuse("medunet init COHORT BUNDLE --from", "train", untrained, "--from", bundle)
