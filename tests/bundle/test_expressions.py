"""What MONAI alone reads, writes and refuses, by the expressions of a bundle's configurations."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import monai.bundle
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from plans import make_test_plan, make_tiny_bundle

from medunet.bundle import make_evaluate_config, make_inference_config, open_bundle, publish_weights
from medunet.bundle.expressions import runs_more
from medunet.networks import build_network
from medunet.records import read_json

Masks = dict[str, np.ndarray]
NAMES = (
    *("scan[1]", "scan*", "scan?", "a b", "a=b", "scan'1", "Müller", "Mu\u0308ller", "(scan)", "x_ct.nii.gz"),
    *("-scan", "~scan", "scan,1", "{scan}", "scan.nii", "!scan", "scan%41", "scan$HOME"),
)
LINK = "a link"


def make_bundle(folder: Path, seed: int) -> Path:
    """A bundle of random weights; another seed finds something else."""
    bundle = open_bundle(make_tiny_bundle(folder, "ab"))
    torch.manual_seed(seed)
    network = build_network(bundle.inference["network_def"])
    publish_weights(bundle.folder, network.state_dict(), {"training": {"fold": 0}})
    return bundle.folder


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "first", 0)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "second", 1)


def write_image(path: Path, seed: int, **kinds: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.random.default_rng(seed).normal(60, 200, (16, 16, 16)).astype(kinds.get("dtype", np.int16))
    nib.save(nib.Nifti1Image(voxels, np.diag([3.0, 3.0, 5.0, 1.0])), path)
    return path


def read_masks(folder: Path) -> Masks:
    return {path.name: np.asarray(nib.load(path).dataobj) for path in sorted(folder.glob("*.nii.gz"))}


@pytest.fixture(scope="module")
def wanted(first: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The mask of the image of seed 1 by the first bundle, from a plain folder by a single file."""
    folder = tmp_path_factory.mktemp("plain")
    write_image(folder / "in" / "scan.nii.gz", 1)
    run(first, "inference", dataset_dir=folder / "in", output_dir=folder / "out")
    (mask,) = read_masks(folder / "out").values()
    assert 0 < mask.mean() < 1
    return mask


def run(bundle: Path, name: str, **options: Any) -> None:
    given = {key: str(value) for key, value in options.items()}
    monai.bundle.run(config_file=str(bundle / "configs" / f"{name}.json"), **given)


def call(*arguments: object, cwd: Path, code: int = 0) -> str:
    """Run `python -m monai.bundle run` as a user does."""
    command = [sys.executable, "-m", "monai.bundle", "run", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)
    assert (done.returncode != 0) == bool(code), done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_that_folder(first: Path, wanted: np.ndarray, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    write_image(folder / "scan.nii.gz", 1)
    for other in ("scan1", "scan", "a", "b", "scan.nii.gz", "scanA", "%", "Muller"):
        write_image(tmp_path / other / "scan.nii.gz", 2)
        write_image(tmp_path / other / "other.nii.gz", 3)
    run(first, "inference", dataset_dir=folder, output_dir=tmp_path / f"{name}.out")
    (mask,) = read_masks(tmp_path / f"{name}.out").values()
    assert np.array_equal(mask, wanted)


@pytest.mark.parametrize("name", ["bundle[1]", "bundle*", "a b=c", "Mu\u0308ller's", LINK])
def test_a_bundle_of_any_name_has_its_own_weights(
    first: Path, second: Path, wanted: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It was moved, and runs from within another bundle's folder."""
    folder = tmp_path / name
    if name == LINK:
        folder.symlink_to(first)
    else:
        shutil.copytree(first, folder)
    shutil.copytree(second, tmp_path / "bundle1")
    monkeypatch.chdir(second)
    write_image(tmp_path / "scans" / "scan.nii.gz", 1)
    run(folder, "inference", dataset_dir=tmp_path / "scans", output_dir=tmp_path / "out")
    (mask,) = read_masks(tmp_path / "out").values()
    assert np.array_equal(mask, wanted)


def list_twice(config: Path, more: Path) -> dict[str, Any]:
    return {"config_file": [str(config), str(more)]}


def write_arguments(config: Path, more: Path) -> dict[str, Any]:
    path = more.with_name("arguments.json")
    path.write_text(json.dumps(list_twice(config, more)))
    return {"args_file": str(path)}


WAYS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "list": list_twice,
    "turned list": lambda config, more: {"config_file": [str(more), str(config)]},
    "tuple of paths": lambda config, more: {"config_file": (config, more)},
    "path": lambda config, _: {"config_file": config},
    "arguments": write_arguments,
    "another metadata": lambda config, more: {"config_file": str(config), "meta_file": str(more)},
    "relative": lambda config, _: {"config_file": os.path.relpath(config)},
    "roundabout": lambda config, _: {"config_file": f"{config.parent}/../configs//inference.json"},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_root_is_found_however_the_configuration_is_given(
    first: Path, second: Path, wanted: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A further file lies in another bundle, from within whose folder all is run."""
    monkeypatch.chdir(second)
    shutil.copytree(second, tmp_path / "second")
    more = tmp_path / "second" / "configs" / "more.json"
    more.write_text(json.dumps({"output_dir": str(tmp_path / "out")}))
    write_image(tmp_path / "scans" / "scan.nii.gz", 1)
    given = WAYS[way](first / "configs" / "inference.json", more)
    monai.bundle.run(**given, dataset_dir=str(tmp_path / "scans"), output_dir=str(tmp_path / "out"))
    (mask,) = read_masks(tmp_path / "out").values()
    assert np.array_equal(mask, wanted)


def test_the_root_is_found_from_the_command_line_within_configs(
    first: Path, wanted: np.ndarray, tmp_path: Path
) -> None:
    write_image(tmp_path / "scan[1]" / "scan.nii.gz", 1)
    write_image(tmp_path / "scan1" / "other.nii.gz", 2)
    options = ("--dataset_dir", tmp_path / "scan[1]", "--output_dir", tmp_path / "out")
    (tmp_path / "more.json").write_text("{}")
    both = f"['inference.json', '{tmp_path / 'more.json'}']"
    call("--config_file", both, *options, cwd=first / "configs")
    (mask,) = read_masks(tmp_path / "out").values()
    assert np.array_equal(mask, wanted)


def test_a_workflow_of_ones_own_finds_the_root(first: Path, second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(second)
    monkeypatch.setattr(sys, "argv", ["run", "--config_file", str(second / "configs" / "inference.json")])
    for names in (["inference"], ["evaluate"], ["train"], ["train", "multi_gpu_train"]):
        files = [str(first / "configs" / f"{name}.json") for name in names]
        workflow = ConfigWorkflow(files, logging_file=False)
        workflow.parser.parse(reset=True)
        workflow.init_id = "bundle_root"
        assert workflow.initialize() == [str(first)]


def test_a_root_that_nothing_tells_is_no_path(
    first: Path, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MONAI's parser alone, or a copy of another name, from within another bundle."""
    monkeypatch.chdir(second)
    parser = ConfigParser(read_json(first / "configs" / "inference.json"))
    assert parser.get_parsed_content("bundle_root").startswith("/dev/null/bundle_root is unknown")
    copy = shutil.copy(first / "configs" / "inference.json", tmp_path / "mine.json")
    write_image(tmp_path / "scans" / "scan.nii.gz", 1)
    options = {"meta_file": str(second / "configs" / "metadata.json"), "dataset_dir": str(tmp_path / "scans")}
    with pytest.raises(SystemExit, match=r"bundle_root is unknown, since MONAI got no inference\.json: give it by"):
        monai.bundle.run(config_file=copy, **options)
    monai.bundle.run(config_file=copy, **options, bundle_root=str(first), output_dir=str(tmp_path / "out"))
    assert len(read_masks(tmp_path / "out")) == 1


@pytest.mark.parametrize("name", ["scan#1", "1_0", "(scan)"])
def test_a_name_that_monai_takes_for_python_is_refused(first: Path, tmp_path: Path, name: str) -> None:
    for other in ("scan", "10", name):
        write_image(tmp_path / other / "scan.nii.gz", 2)
    config = first / "configs" / "inference.json"
    said = call("--config_file", config, f"--dataset-dir={name}", "--output_dir", "out", cwd=tmp_path, code=1)
    assert f"--dataset_dir {name} reaches the bundle as" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [10, [1], ("a", "b"), None])
def test_what_is_no_path_is_refused(first: Path, value: object) -> None:
    with pytest.raises((SystemExit, RuntimeError), match=r"dataset_dir is .*, which is no path|no image"):
        monai.bundle.run(config_file=str(first / "configs" / "inference.json"), dataset_dir=value, output_dir="out")


def test_both_endings_are_read_and_two_of_one_name_refused(first: Path, tmp_path: Path) -> None:
    names = ("a.nii.gz", "b.nii", "c.nii.gz", "d.nii", "e.v2.nii", "F.NII.GZ")
    for number, name in enumerate(names):
        write_image(tmp_path / "in" / name.lower(), number).rename(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("x")
    (tmp_path / "in" / "._a.nii.gz").write_text("what macOS leaves")
    run(first, "inference", dataset_dir=tmp_path / "in", output_dir=tmp_path / "out")
    assert len(read_masks(tmp_path / "out")) == len(names)
    write_image(tmp_path / "in" / "a.nii", 9)
    with pytest.raises(SystemExit, match="/a: two files have this name"):
        run(first, "inference", dataset_dir=tmp_path / "in", output_dir=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def score(bundle: Path, folder: Path, target: Path) -> list[str]:
    run(bundle, "evaluate", dataset_dir=folder, output_dir=target)
    rows = (target / "val_mean_dice_raw.csv").read_text().splitlines()[1:]
    return [row.replace(",", "\t").split("\t")[0] for row in rows]


def test_evaluation_scores_the_images_of_its_folder(first: Path, tmp_path: Path) -> None:
    for folder, names in (("ev[1]", ("a.nii.gz", "b.nii")), ("ev1", ("c.nii.gz",))):
        for number, name in enumerate(names):
            write_image(tmp_path / folder / "images" / name, number)
            image = nib.Nifti1Image(np.eye(16, dtype=np.uint8)[..., None].repeat(16, 2), np.diag([3.0, 3.0, 5.0, 1.0]))
            (tmp_path / folder / "labels").mkdir(exist_ok=True)
            # Its ending isn't that of its image.
            nib.save(image, tmp_path / folder / "labels" / f"{name[0]}.nii.gz")
    scored = score(first, tmp_path / "ev[1]", tmp_path / "out")
    assert [Path(name).name for name in scored] == ["a.nii.gz", "b.nii"]
    nib.save(nib.load(tmp_path / "ev[1]" / "labels" / "b.nii.gz"), tmp_path / "ev[1]" / "labels" / "b.nii")
    (tmp_path / "ev[1]" / "labels" / "b.nii.gz").unlink()
    assert score(first, tmp_path / "ev[1]", tmp_path / "out2") == scored
    shutil.copy(tmp_path / "ev[1]" / "labels" / "a.nii.gz", tmp_path / "ev[1]" / "labels" / "b.nii.gz")
    with pytest.raises(SystemExit, match="labels/b: two files have this name"):
        score(first, tmp_path / "ev[1]", tmp_path / "out3")


def list_by(config: dict[str, Any], folder: Path, key: str = "datalist") -> list[dict[str, str]]:
    parser = ConfigParser({**config, "dataset_dir": str(folder), "bundle_root": "none"})
    found: list[dict[str, str]] = parser.get_parsed_content(key)
    return found


def test_channels_of_a_case_may_end_differently(tmp_path: Path) -> None:
    plan, folder = make_test_plan(channels=("ct", "pet")), tmp_path / "x_ct.nii.gz [1]"
    for name in ("a_ct.nii.gz", "a_pet.nii", "b_ct.nii", "b_pet.nii.gz", "c_pet.nii.gz"):
        write_image(folder / name, 0)
    found = list_by(make_inference_config(plan), folder)
    assert [{key: Path(path).name for key, path in case.items()} for case in found] == [
        {"ct": "a_ct.nii.gz", "pet": "a_pet.nii"},
        {"ct": "b_ct.nii", "pet": "b_pet.nii.gz"},
    ]
    assert all(Path(path).is_file() for case in found for path in case.values())
    (tmp_path / "ev" / "labels").mkdir(parents=True)
    folder.rename(tmp_path / "ev" / "images")
    write_image(tmp_path / "ev" / "labels" / "b.nii", 0)
    labels = [Path(case["label"]).name for case in list_by(make_evaluate_config(plan), tmp_path / "ev")]
    assert labels == ["a.nii.gz", "b.nii"]


def test_pictures_are_listed_by_their_ending(tmp_path: Path) -> None:
    plan = make_test_plan(dims=2).change(task={"unit": "px"})
    for name in ("a.png", "B.PNG", "c.nii.gz", "d.png.txt"):
        (tmp_path / name).write_text("x")
    found = list_by(make_inference_config(plan), tmp_path)
    assert sorted(Path(case["image"]).name for case in found) == ["B.PNG", "a.png"]


@pytest.mark.parametrize("name", ["inference", "evaluate"])
def test_an_image_that_holds_no_finite_number_is_refused_with_their_count(
    first: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path if name == "inference" else tmp_path / "images"
    path = write_image(folder / "scan.nii.gz", 1, dtype=np.float32)
    write_image(tmp_path / "labels" / "scan.nii.gz", 1)
    voxels = nib.load(path).get_fdata(dtype=np.float32)
    voxels[3, 4:7, 5], voxels[0, 0, 0] = np.nan, -np.inf
    nib.save(nib.Nifti1Image(voxels, np.diag([3.0, 3.0, 5.0, 1.0])), path)
    with pytest.raises(SystemExit, match=r"scan\.nii\.gz: 4 voxels are not finite"):
        run(first, name, dataset_dir=tmp_path, output_dir=tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


def test_logits_that_are_no_numbers_are_no_mask(first: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(first, tmp_path / "damaged"))
    state = torch.load(damaged / "models" / "model.pt", weights_only=True)
    torch.save({key: torch.full_like(value, torch.nan) for key, value in state.items()}, damaged / "models/model.pt")
    write_image(tmp_path / "in" / "scan.nii.gz", 1)
    with pytest.raises(SystemExit, match="the logits of the network are not finite"):
        run(damaged, "inference", dataset_dir=tmp_path / "in", output_dir=tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


def test_what_is_more_than_data_to_call_with() -> None:
    part: dict[str, Any] = {"_target_": "UNet", "act": ["PRELU", {"init": 0.2}]}
    assert not runs_more(part)
    for more in ("$print()", "@network", [{"_target_": "os.system"}], {"a": {"_requires_": 1}}):
        assert runs_more({**part, "norm": more})
