"""Write bundles in the style of MONAI's zoo, with tiny networks, and run them by MONAI in this process."""

import json
from pathlib import Path
from typing import Any

import monai.networks.nets
import nibabel as nib
import numpy as np
import torch
from monai.bundle import run
from monai.utils import set_determinism
from PIL import Image
from scipy.spatial.transform import Rotation

DEVICE = "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')"
Config = dict[str, Any]
UNET = {
    **{"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]},
    **{"num_res_units": 1, "norm": "instance"},
}


def write_zoo_bundle(
    folder: Path,
    network: Config | None = None,
    chain: list[Config] | None = None,
    post: list[Config] | None = None,
    **more: Any,
) -> Path:
    """Write a bundle like the zoo's of the spleen; parts that are given stand in place of its own."""
    config: Config = {
        "imports": ["$import glob", "$import numpy", "$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "output_dir": "$@bundle_root + '/eval'",
        "output_dtype": "$numpy.float32",
        "load_pretrain": True,
        "dataset_dir": "/workspace/data",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "device": DEVICE,
        "network_def": network or UNET,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": chain or oriented((3.0, 3.0, 4.0))},
        "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in @datalist]", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "sw_batch_size": 4, "overlap": 0.5},
        "postprocessing": {"_target_": "Compose", "transforms": [*(post or SOFTMAX), SAVE]},
        "handlers": [{"_target_": "StatsHandler", "iteration_log": False}],
        "evaluator": {
            **{"_target_": "SupervisedEvaluator", "device": "@device", "val_data_loader": "@dataloader"},
            **{"network": "@network", "inferer": "@inferer", "postprocessing": "@postprocessing"},
            **{"val_handlers": "@handlers", "amp": True},
        },
        "checkpointloader": {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
        },
        "initialize": [
            "$monai.utils.set_determinism(seed=123)",
            "$@checkpointloader(@evaluator) if @load_pretrain else None",
        ],
        "run": ["$@evaluator.run()"],
        **more,
    }
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    write_metadata(folder, config["network_def"])
    return folder


def oriented(pixdim: tuple[float, ...], *further: Config, **loading: Any) -> list[Config]:
    return [
        {"_target_": "LoadImaged", "keys": "@image_key", **loading},
        {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
        {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
        {"_target_": "Spacingd", "keys": "@image_key", "pixdim": list(pixdim), "mode": "bilinear"},
        *further,
        SCALE,
        {"_target_": "EnsureTyped", "keys": "@image_key"},
    ]


SCALE = {
    **{"_target_": "ScaleIntensityRanged", "keys": "@image_key", "a_min": -150, "a_max": 250},
    **{"b_min": 0, "b_max": 1, "clip": True},
}
SAVE = {
    **{"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir", "output_dtype": "@output_dtype"},
    **{"output_postfix": "trans", "separate_folder": False, "resample": False},
}
ACTIVATE = {"_target_": "Activationsd", "keys": "pred", "softmax": True}
INVERT = {
    **{"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "@image_key"},
    **{"nearest_interp": False, "to_tensor": True},
}
ARGMAX = {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}
SOFTMAX = [ACTIVATE, INVERT, ARGMAX]
NEAREST = [ACTIVATE, ARGMAX, {**INVERT, "nearest_interp": True}]


def patches(size: int) -> dict[str, Any]:
    return {"_target_": "SlidingWindowInferer", "roi_size": [size] * 3, "sw_batch_size": 4, "overlap": 0.5}


def write_metadata(folder: Path, network: Config, **output: Any) -> None:
    outputs = network.get("out_channels", 2)
    names = {"0": "background", **{str(n): f"organ {n}" for n in range(1, outputs if isinstance(outputs, int) else 2)}}
    image = {"type": "image", "format": "hounsfield", "modality": "CT", "num_channels": network.get("in_channels", 1)}
    pred = {"type": "image", "format": "segmentation", "num_channels": outputs, "channel_def": names, **output}
    shape = {"spatial_shape": [16] * network.get("spatial_dims", 3)}
    formats = {"inputs": {"image": {**image, **shape}}, "outputs": {"pred": {**pred, **shape}}}
    metadata = {"version": "0.1.0", "task": "Segmentation of organs", "network_data_format": formats}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))


def write_random_weights(folder: Path, seed: int = 0) -> None:
    """Weights of which the outputs vary from place to place, and no output wins everywhere."""
    network = read_config(folder)["network_def"]
    arguments = {key: value for key, value in network.items() if key not in ("_target_", "img_size")}
    set_determinism(seed)
    made = getattr(monai.networks.nets, network["_target_"])(**arguments)
    set_determinism(None)
    torch.save(made.state_dict(), folder / "models" / "model.pt")


def read_config(folder: Path) -> Config:
    config: Config = json.loads((folder / "configs" / "inference.json").read_text())
    return config


def write_threshold_weights(folder: Path, steps: int = 200) -> None:
    """Weights of a few steps, by which the second output is above one half where the image is."""
    network = read_config(folder)["network_def"]
    set_determinism(1)
    made = getattr(monai.networks.nets, network["_target_"])(**{k: v for k, v in network.items() if k != "_target_"})
    optimizer = torch.optim.Adam(made.parameters(), 0.02)
    for _ in range(steps):
        image = (torch.nn.functional.interpolate(torch.rand(4, 1, 8, 8, 8), scale_factor=2) * 2 - 0.8).clamp(0, 1)
        loss = torch.nn.functional.cross_entropy(made(image), (image[:, 0] > 0.5).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    set_determinism(None)
    torch.save(made.state_dict(), folder / "models" / "model.pt")


def write_scan(path: Path, shape: tuple[int, int, int] = (26, 22, 18), seed: int = 1) -> Path:
    """A scan as NIfTI: a bright ball in soft noise, on an oblique grid that is stored from right to left."""
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("xz", [4, 7], degrees=True).as_matrix() @ np.diag([-2.0, 2.4, 3.1])
    turned[:3, 3] = 20, -30, 5
    random, place = np.random.default_rng(seed), np.indices(shape).T - np.array([9, 12, 8])
    voxels = random.normal(0, 60, shape) + 180 * (np.linalg.norm(place * [2, 2.4, 3.1], axis=-1) < 14).T
    image = nib.Nifti1Image(voxels.astype(np.float32), turned)
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, 1)
    nib.save(image, path)
    return path


def run_monai_outputs(folder: Path, scan: Path, output: Path) -> np.ndarray:
    """What `monai.bundle run` computes, (outputs, I, J, K) on the grid of the network, before any of postprocessing."""
    path = folder / "configs" / "inference.json"
    before = path.read_text()
    step = {**SAVE, "output_dtype": "float32", "output_ext": ".nii.gz"}
    try:
        path.write_text(
            json.dumps({**json.loads(before), "postprocessing": {"_target_": "Compose", "transforms": [step]}})
        )
        values = run_monai_here(folder, scan, output).astype(np.float32)
    finally:
        path.write_text(before)
    outputs = read_config(folder)["network_def"].get("out_channels", 2)
    return np.moveaxis(values, -1, 0) if outputs > 1 else values.reshape(1, *values.shape)


def run_monai_here(folder: Path, scan: Path, output: Path) -> np.ndarray:
    """What `monai.bundle run` writes of the scans in a folder, by the configuration as it is."""
    config = folder / "configs" / "inference.json"
    run(
        config_file=str(config),
        meta_file=str(folder / "configs" / "metadata.json"),
        bundle_root=str(folder),
        dataset_dir=str(scan.parent),
        output_dir=str(output),
        logging_file=False,
    )
    (written,) = [path for path in output.rglob("*trans*") if path.is_file()]
    return np.asarray(Image.open(written) if written.suffix == ".png" else nib.load(written).dataobj)
