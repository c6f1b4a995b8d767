"""Bundles in the style of MONAI's zoo: the masks of `monai.bundle run`, right on DICOM, scored, written as SEG.

Of the zoo itself nothing is here: networks are tiny and their weights random, or of a few steps.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.networks.nets import DiNTS, TopologyInstance
from PIL import Image
from stock import in_float32, measure_dice
from typer.testing import CliRunner
from zoo import (
    ACTIVATE,
    ARGMAX,
    INVERT,
    SCALE,
    UNET,
    oriented,
    patches,
    read_config,
    run_monai_here,
    run_monai_outputs,
    write_random_weights,
    write_scan,
    write_threshold_weights,
    write_zoo_bundle,
)
from zoo_styles import FIRST, JOIN, LOAD, SCALE_ALL, SEGRESNET, SIGMOID, STYLES, SWIN

import medunet
from medunet.bundle import open_any_bundle
from medunet.cli.app import app
from medunet.errors import MedunetError
from medunet.findings import listening
from medunet.inference import Computing, make_maker, open_predictor
from medunet.inference.assemble import Assembly, assemble_planes
from medunet.inference.restore_foreign import lay_slices
from medunet.preparation import run_chain
from medunet.reading import find_image


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan(tmp_path_factory.mktemp("scans") / "scan.nii.gz")


def predict(folder: Path, scan: Any, **how: Any) -> medunet.Prediction:
    with in_float32():
        (found,) = medunet.predict(folder, scan, backend="torch", **how)
    return found


@pytest.mark.parametrize("style", STYLES)
def test_masks_are_those_of_monai(style: str, scan: Path, tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / style, **STYLES[style])
    write_random_weights(folder)
    theirs, ours = run_monai_here(folder, scan, tmp_path / "out"), predict(folder, scan).mask
    assert len(np.unique(theirs)) > 1
    assert ours.voxels.dtype == np.uint8
    assert (ours.voxels != theirs).mean() <= 1e-3
    assert ours.grid.shape == nib.load(scan).shape


def test_largest_parts_come_back_as_labels(scan: Path, tmp_path: Path) -> None:
    """MONAI's own result is interpolated labels, so that what is compared is nearest, and its step needs skimage."""
    largest = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1, 2]}
    network, chain = {**UNET, "out_channels": 3, "act": "prelu"}, oriented((3.0, 3.0, 3.0), SCALE_ALL)
    prostate = write_zoo_bundle(tmp_path / "prostate", network, chain, [ARGMAX, largest, INVERT])
    write_random_weights(prostate)
    found = predict(prostate, scan).mask
    assert "no label map" in found.notes[0]
    repaired = [ARGMAX, largest, {**INVERT, "nearest_interp": True}]
    copy = write_zoo_bundle(tmp_path / "repaired", network, chain, repaired)
    shutil.copy(prostate / "models" / "model.pt", copy / "models" / "model.pt")
    assert np.array_equal(found.voxels, predict(copy, scan).mask.voxels)
    pytest.importorskip("skimage", reason="MONAI's own step needs scikit-image")
    assert (found.voxels != run_monai_here(copy, scan, tmp_path / "out")).mean() <= 1e-3


def test_a_network_and_a_reader_that_monai_lacks_are_repaired(scan: Path, tmp_path: Path) -> None:
    """MONAI can't run it, so that a copy without `img_size` and the reader is compared."""
    chain = oriented((3.0, 3.0, 4.0), reader="ITKReader")
    pytest.importorskip("einops", reason="MONAI's SwinUNETR needs einops")
    inferer = {**patches(64), "roi_size": [64, 64, 32]}
    swin = write_zoo_bundle(tmp_path / "swin", SWIN, chain, inferer=inferer)
    write_random_weights(swin)
    found = predict(swin, scan).mask
    assert "'img_size' of SwinUNETR is left out" in found.notes[0]
    own = {key: value for key, value in SWIN.items() if key != "img_size"}
    copy = write_zoo_bundle(tmp_path / "repaired", own, oriented((3.0, 3.0, 4.0)), inferer=inferer)
    shutil.copy(swin / "models" / "model.pt", copy / "models" / "model.pt")
    assert (found.voxels != run_monai_here(copy, scan, tmp_path / "out")).mean() <= 1e-3


def refuse_untrusted(folder: Path, scan: Any) -> None:
    with pytest.raises(MedunetError, match="give --trust") as caught:
        medunet.predict(folder, scan)
    assert caught.value.code == "bundle-untrusted"


def test_four_files_in_one_key_and_regions_by_a_lambda(tmp_path: Path) -> None:
    names = {"T1c": "t1c", "T1": "t1", "T2": "t2", "FLAIR": "flair"}
    (tmp_path / "case").mkdir()
    files = {
        name: write_scan(tmp_path / "case" / f"{part}.nii.gz", seed=n) for n, (name, part) in enumerate(names.items())
    }
    listed = "$[[@dataset_dir + '/' + n + '.nii.gz' for n in ('t1c', 't1', 't2', 'flair')]]"
    network = {**SEGRESNET, "in_channels": 4, "out_channels": 3}
    folder = write_zoo_bundle(
        tmp_path / "brats",
        network,
        [LOAD, {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True}],
        [
            *[SIGMOID, INVERT, {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}],
            {"_target_": "Lambdad", "keys": "pred", "func": JOIN},
        ],
        datalist=listed,
        inferer={**patches(16), "roi_size": [32, 24, 24]},
    )
    write_random_weights(folder)
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    formats = metadata["network_data_format"]
    formats["inputs"]["image"] |= {"modality": "MR", "format": "magnitude"}
    formats["inputs"]["image"]["channel_def"] = dict(enumerate(names))
    formats["outputs"]["pred"]["channel_def"] = {"0": "core", "1": "whole", "2": "enhancing"}
    path.write_text(json.dumps(metadata))
    refuse_untrusted(folder, files)
    found = predict(folder, files, trust=True).mask
    theirs = run_monai_here(folder, files["T1c"], tmp_path / "out")
    assert len(np.unique(theirs)) > 1
    assert (found.voxels != theirs).mean() <= 1e-3
    assert found.table.names == ("core", "whole", "label 3", "enhancing")
    assert "holds all outputs" in found.notes[-1]
    outputs = compute_outputs(folder, files, trust=True) - run_monai_outputs(folder, files["T1c"], tmp_path / "outputs")
    assert np.abs(outputs).max() <= 1e-3


def test_a_network_of_its_own_script(scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_zoo_bundle(tmp_path / "own", {"_target_": "scripts.net.Net", "in_channels": 1, "out_channels": 4})
    write_script(folder, 4)
    refuse_untrusted(folder, scan)
    with listening() as heard:
        found = predict(folder, scan, trust=True).mask
    assert not heard, "its chain orients scans"
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    assert (found.voxels != run_monai_here(folder, scan, tmp_path / "out")).mean() <= 1e-3
    before = make_maker(open_any_bundle(folder, trust=True)).recipe.trusted
    (folder / "scripts" / "net.py").open("a").write("# changed\n")
    assert make_maker(open_any_bundle(folder, trust=True)).recipe.trusted != before
    other = write_zoo_bundle(tmp_path / "other", {"_target_": "scripts.net.Net", "in_channels": 1, "out_channels": 2})
    write_script(other, 2)
    assert predict(other, scan, trust=True).mask.voxels.max() <= 1, "never the scripts of another bundle"


def write_script(folder: Path, outputs: int) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts" / "__init__.py").touch()
    (folder / "scripts" / "net.py").write_text(
        "import torch\n\n\nclass Net(torch.nn.Conv3d):\n    def __init__(self, in_channels, out_channels):\n"
        f"        super().__init__(in_channels, {outputs}, 3, padding=1)\n"
    )
    torch.manual_seed(1)
    torch.save(torch.nn.Conv3d(1, outputs, 3).state_dict(), folder / "models" / "model.pt")


def test_a_network_that_was_searched_for(scan: Path, tmp_path: Path) -> None:
    """Its architecture is a pickle that would be put on a GPU: MONAI can't run that here, so nothing is compared."""
    space = {"channel_mul": 0.25, "num_blocks": 4, "num_depths": 3, "use_downsample": True}
    folder = write_zoo_bundle(
        tmp_path / "searched",
        {
            **{"_target_": "monai.networks.nets.DiNTS", "dints_space": "@space", "in_channels": 1, "num_classes": 2},
            **{"use_downsample": True, "node_a": "$torch.from_numpy(@search['node_a'])"},
        },
        search="$torch.load(@bundle_root + '/models/search.pt', map_location=torch.device('cuda'))",
        space={
            **{"_target_": "monai.networks.nets.TopologyInstance", "device": "$torch.device('cuda')", **space},
            "arch_code": ["$@search['arch_code_a']", "$@search['arch_code_c']"],
        },
    )
    codes = {"arch_code_a": np.ones((4, 7)), "arch_code_c": np.zeros((4, 7)), "node_a": np.ones((5, 3))}
    torch.save(codes, folder / "models" / "search.pt")
    made = TopologyInstance(arch_code=[codes["arch_code_a"], codes["arch_code_c"]], device="cpu", **space)
    net = DiNTS(made, in_channels=1, num_classes=2, use_downsample=True, node_a=torch.from_numpy(codes["node_a"]))
    torch.save(net.state_dict(), folder / "models" / "model.pt")
    refuse_untrusted(folder, scan)
    assert predict(folder, scan, trust=True).status == "segmented"


def test_pictures(tmp_path: Path) -> None:
    """MONAI's own result is a picture of 0 and 255."""
    resized = {"_target_": "Resized", "keys": ["@image_key"], "spatial_size": [48, 32], "mode": ["bilinear"]}
    folder = write_zoo_bundle(
        tmp_path / "tool",
        {**UNET, "spatial_dims": 2, "in_channels": 3},
        [LOAD, {**FIRST, "channel_dim": -1}, resized, SCALE_ALL],
        [
            *[INVERT, {**ARGMAX, "to_onehot": 2}],
            {"_target_": "Lambdad", "keys": ["pred"], "func": "$lambda x : x[1:]"},
        ],
        inferer={"_target_": "SimpleInferer"},
        datalist="$list(sorted(glob.glob(@dataset_dir + '/*.png')))",
        output_dtype="uint8",
    )
    write_random_weights(folder)
    config = read_config(folder)
    config["postprocessing"]["transforms"][-1] |= {"output_ext": ".png", "scale": 255, "squeeze_end_dims": True}
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (tmp_path / "pictures").mkdir()
    picture = tmp_path / "pictures" / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(picture)
    refuse_untrusted(folder, picture)
    found = predict(folder, picture, trust=True).mask
    theirs = run_monai_here(folder, picture, tmp_path / "out").T > 0
    assert 0 < theirs.mean() < 1
    assert np.array_equal(found.voxels[..., 0] > 0, theirs)
    outputs = run_monai_outputs(folder, picture, tmp_path / "outputs")
    ours = compute_outputs(folder, picture, trust=True)
    assert np.abs(ours - outputs.reshape(ours.shape)).max() <= 1e-3
    config["postprocessing"]["transforms"] = [INVERT, ARGMAX, config["postprocessing"]["transforms"][-1]]
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    assert np.array_equal(predict(folder, picture).mask.voxels, found.voxels), "without the lambda it is data"


@pytest.fixture(scope="module")
def shining(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that finds what shines, as the lesions of the made-up patients do."""
    scale = {**SCALE, "a_min": 200, "a_max": 600}
    chain = [scale if step == SCALE else step for step in oriented((5.0, 5.0, 7.0))]
    network = {**UNET, "norm": None, "num_res_units": 0}
    folder = write_zoo_bundle(tmp_path_factory.mktemp("shining") / "shining", network, chain)
    write_threshold_weights(folder)
    return folder


def test_on_dicom_the_mask_lies_right(shining: Path, patients: list[Path], tmp_path: Path) -> None:
    """Also of an oblique series, and stored otherwise; written as SEG on the source series."""
    for patient in (patients[1], patients[3]):
        volume = medunet.read_volume(patient / "CT")
        found = predict(shining, patient, output=tmp_path / patient.name, formats=("nifti", "seg"))
        assert found.status == "segmented"
        shines = volume.voxels[0] > 700
        assert measure_dice(found.mask.voxels, shines) > 0.75
        centre = volume.grid.to_world(np.argwhere(found.mask.voxels)).mean(axis=0)
        assert found.files["seg"].is_file()
        turned = nib.Nifti1Image(volume.voxels[0], volume.grid.affine).as_reoriented(
            np.array([[1, -1], [2, 1], [0, 1]])
        )
        turned.set_qform(turned.affine, 1)
        turned.set_sform(turned.affine, 1)
        nib.save(turned, tmp_path / f"{patient.name}.nii.gz")
        mask = predict(shining, tmp_path / f"{patient.name}.nii.gz").mask
        assert np.linalg.norm(mask.grid.to_world(np.argwhere(mask.voxels)).mean(axis=0) - centre) < 0.5
        assert abs(int((mask.voxels > 0).sum()) - int((found.mask.voxels > 0).sum())) <= 2


def test_it_is_scored_on_a_cohort(shining: Path, cohort_folder: Path, tmp_path: Path) -> None:
    result = medunet.evaluate(shining, cohort=cohort_folder, output=tmp_path / "scores")
    assert "medunet" in result.table
    dice = [score.dice for score in result.scores.methods["medunet"] if score.dice is not None]
    assert np.median(dice) > 0.7
    assert result.report.is_file()


def test_check_tells_all_before_a_scan_is_there(shining: Path, tmp_path: Path) -> None:
    codes = [(item.severity, item.code) for item in medunet.check(shining)]
    assert codes == [("note", "bundle-read"), ("note", "bundle-ignored")]
    broken = write_zoo_bundle(tmp_path / "b", post=[{"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: x"}])
    torch.save({}, broken / "models" / "model.pt")
    done = CliRunner().invoke(app, ["check", str(broken)])
    assert done.exit_code == 2
    assert "bundle-untrusted" in done.output
    assert "postprocessing::transforms::0::func" in done.output


def test_weights_of_another_network_are_refused_before_a_scan_is_read(shining: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(shining, tmp_path / "other")
    state = torch.load(folder / "models" / "model.pt")
    first, second, *_ = state
    state[first] = state[first][:1]
    del state[second]
    torch.save({"model": {**state, "more": torch.zeros(1)}}, folder / "models" / "model.pt")
    with pytest.raises(MedunetError, match="1 tensors are missing, 1 unknown and 1 of another shape"):
        medunet.predict_each(folder, tmp_path / "nowhere")
    torch.save({"model": object}, folder / "models" / "model.pt")
    with pytest.raises(MedunetError, match="no weights that can be read safely"):
        medunet.predict_each(folder, tmp_path / "nowhere")
    assert ACTIVATE in read_config(folder)["postprocessing"]["transforms"]


def compute_outputs(folder: Path, images: Any, **how: Any) -> np.ndarray:
    """What medunet computes, (outputs, I, J, K) on the grid of the network."""
    bundle = open_any_bundle(folder, **how)
    with in_float32(), open_predictor(bundle, computing=Computing(backend="torch")) as predictor:
        recipe = predictor.recipe
        paths = images if isinstance(images, dict) else {recipe.task.channels[0]: images}
        found = {key: find_image(paths[name]) for key, name in zip(recipe.inputs, recipe.task.channels, strict=True)}
        image = run_chain(recipe.preprocessing, found, recipe.task)
        window, voxels = recipe.window, image.as_tensor()
        if window.axis != 2:
            voxels, _ = lay_slices(voxels, np.asarray(image.affine), window.axis)
        patch = window.fit(tuple(voxels.shape[1:]))
        how = Assembly(window.mode, window.padding)
        planes = assemble_planes(voxels, predictor.backend, patch, window.overlap, "outputs", how)
        return torch.stack(list(planes), dim=1).movedim(3, window.axis + 1).numpy()


BATCH = {"sw_batch_size": 2}
"""As many patches at once as medunet takes."""


@pytest.mark.parametrize("style", STYLES)
def test_outputs_are_those_of_monai(style: str, scan: Path, tmp_path: Path) -> None:
    parts = STYLES[style]
    inferer = parts.get("inferer", patches(16))
    batch = {} if inferer["_target_"] == "SimpleInferer" else BATCH
    folder = write_zoo_bundle(tmp_path / "b", **{**parts, "inferer": inferer | batch})
    write_random_weights(folder)
    ours = compute_outputs(folder, scan)
    theirs = run_monai_outputs(folder, scan, tmp_path / "out")
    assert ours.std() > 1e-3
    assert np.abs(ours - theirs).max() <= 1e-3


def test_outputs_of_other_networks_are_those_of_monai(scan: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Prostate, swin without what this MONAI lacks, and with trust a script of its own."""
    swin = {key: value for key, value in SWIN.items() if key != "img_size"}
    largest = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1, 2]}
    cases: dict[str, dict[str, Any]] = {
        "prostate": {"network": {**UNET, "out_channels": 3}, "post": [ARGMAX, largest, INVERT]},
        "swin": {"network": swin, "inferer": {**patches(64), "roi_size": [64, 64, 32]} | BATCH},
    }
    for name, parts in cases.items():
        folder = write_zoo_bundle(tmp_path / name, **{"inferer": patches(16) | BATCH, **parts})
        write_random_weights(folder)
        difference = compute_outputs(folder, scan) - run_monai_outputs(folder, scan, tmp_path / f"{name}.out")
        assert np.abs(difference).max() <= 1e-3, name
    own = {"_target_": "scripts.net.Net", "in_channels": 1, "out_channels": 4}
    folder = write_zoo_bundle(tmp_path / "own", own, inferer=patches(16) | BATCH)
    write_script(folder, 4)
    ours = compute_outputs(folder, scan, trust=True)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    assert np.abs(ours - run_monai_outputs(folder, scan, tmp_path / "own.out")).max() <= 1e-3


@pytest.mark.parametrize("style", ["spleen", "whole body", "cropped", "sigmoid, whole"])
def test_probabilities_and_thresholds(style: str, scan: Path, tmp_path: Path) -> None:
    parts = STYLES[style]
    parts = {**parts, "network": {**SEGRESNET, "out_channels": 6}} if style == "whole body" else parts
    folder = write_zoo_bundle(tmp_path / "b", **parts)
    write_random_weights(folder)
    mask = predict(folder, scan).mask
    made = predict(folder, scan, output=tmp_path / "out", formats=("nifti", "probabilities"))
    image = nib.load(made.files["probabilities"])
    maps = np.asarray(image.dataobj)
    outputs = maps.shape[3]
    assert outputs == (1 if "sigmoid" in style else 6 if style == "whole body" else 2)
    if outputs > 1:
        assert np.abs(maps.sum(axis=3) - 1).max() < 1e-3
        assert np.array_equal(maps.argmax(axis=3), mask.voxels)
    else:
        assert np.array_equal(maps[..., 0] > 0.5, mask.voxels > 0)
    name = mask.table.names[0]
    label = maps[..., min(1, outputs - 1)]
    for least in (0.2, 0.7):
        voxels = predict(folder, scan, thresholds={name: least}).mask.voxels
        sure = np.abs(label - least) > 0.01
        assert np.array_equal((voxels == 1)[sure], (label >= least)[sure])
    assert predict(folder, scan, thresholds={name: 0.2}).mask.voxels.any()


def test_what_gives_no_probabilities_says_so(scan: Path, tmp_path: Path) -> None:
    only = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.1}
    folder = write_zoo_bundle(tmp_path / "b", {**UNET, "out_channels": 1}, post=[INVERT, only])
    write_random_weights(folder)
    with pytest.raises(MedunetError, match="don't say how its outputs become probabilities"):
        medunet.predict(folder, scan, thresholds={"label 1": 0.3})
    with pytest.raises(MedunetError, match="don't say how its outputs become probabilities"):
        medunet.predict(folder, scan, output=tmp_path / "out", formats=("nifti", "probabilities"))
