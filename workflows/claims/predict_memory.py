"""The memory that `medunet predict --ram` states and takes, with what lies on the disk meanwhile.

    python workflows/claims/predict_memory.py --out DIR [--loads 512-3 512-25 512-105 512-118 1024-dicom 1024-nifti]

Made-up chests with a couch and noise, 410 mm wide, are predicted by bundles from elsewhere whose network is one
convolution, or a U-Net of 32 to 320 features: 1.5 mm, patches of 96³, overlap 0.25. With `--network unet` its weights
are random and its labels noise, with `--network compact` only its coarsest level counts, so that labels are as compact
as organs: measuring noise in a hundred structures takes longer than its network. Memory is that of all processes of the
job together, shared pages counted once (PSS), sampled 20 times a second. With `--unlimited` each scan is predicted
without a limit, too, and `equal` says whether the labels are the same; the largest scans take 19 GiB that way.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.networks.nets import DynUNet

from medunet.geometry import Grid
from medunet.testing.phantoms import Identity, write_ct

RATE = 20.0
"""Samples a second."""
FOV = 410.0
CONVOLUTION = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "kernel_size": 1}
UNET = {
    **{"_target_": "DynUNet", "spatial_dims": 3, "in_channels": 1, "kernel_size": [3] * 5},
    **{"strides": [1, 2, 2, 2, 2], "upsample_kernel_size": [2] * 4, "filters": [32, 64, 128, 256, 320]},
}


@dataclass(frozen=True)
class Load:
    """A row of the table: outputs of the network, size and thickness of the scan, its format, and the limit."""

    outputs: int
    size: int
    slices: int
    thickness: float
    dicom: bool
    ram: str


LOADS = {
    "80-3": Load(3, 80, 60, 2.0, True, "900M"),
    "512-3": Load(3, 512, 300, 1.25, True, "2G"),
    "512-25": Load(25, 512, 300, 1.25, True, "2G"),
    "512-105": Load(105, 512, 300, 1.25, True, "4G"),
    "512-118": Load(118, 512, 300, 1.25, True, "4G"),
    "1024-dicom": Load(3, 1024, 768, 0.4, True, "3G"),
    "1024-nifti": Load(3, 1024, 768, 0.4, False, "3G"),
}


def make_scan(folder: Path, load: Load) -> Path:
    """A chest in HU, made once: DICOM slices, or one compressed NIfTI."""
    name = f"{load.size}x{load.slices}"
    path = folder / (name if load.dicom else f"{name}.nii.gz")
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    voxels = np.empty((load.slices, load.size, load.size), dtype=np.int16)
    generator = np.random.default_rng(0)
    x, y = np.meshgrid(*[np.linspace(-1, 1, load.size, dtype=np.float32)] * 2)
    for k, plane in enumerate(voxels):
        z = np.float32(2 * k / load.slices - 1)
        values = np.full(x.shape, -1000, dtype=np.float32)
        values[(x / 0.8) ** 2 + (y / 0.55) ** 2 < 1] = 40
        for side in (-0.35, 0.35):
            values[((x - side) / 0.25) ** 2 + (y / 0.35) ** 2 + (z / 0.9) ** 2 < 1] = -800
        values[((x + 0.1) / 0.12) ** 2 + ((y - 0.1) / 0.12) ** 2 + (z / 0.3) ** 2 < 1] = 150
        values[(np.abs(y - 0.75) < 0.02) & (np.abs(x) < 0.7)] = -100
        plane[:] = values + generator.normal(0, 12, x.shape).astype(np.float32)
    spacing = FOV / load.size
    affine = np.diag([-spacing, -spacing, load.thickness, 1.0])
    affine[:3, 3] = FOV / 2, FOV / 2, -100.0
    grid = Grid((load.size, load.size, load.slices), affine)
    if load.dicom:
        arranged = voxels.transpose(2, 1, 0)
        write_ct(path, arranged, grid, Identity("MADE^UP", "P1", "O", "1.2.3.1", f"1.2.3.{load.size}", "1.2.3.4"))
    else:
        image = nib.Nifti1Image(voxels.transpose(2, 1, 0), affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, path)
    return path


def make_steps() -> tuple[list[Any], list[Any]]:
    """The chain of a bundle, and its postprocessing."""
    key = {"keys": "image"}
    chain = [
        *({"_target_": name, **key} for name in ("LoadImaged", "EnsureChannelFirstd")),
        {"_target_": "Orientationd", **key, "axcodes": "RAS"},
        {"_target_": "Spacingd", **key, "pixdim": [1.5, 1.5, 1.5], "mode": "bilinear"},
        {
            "_target_": "ScaleIntensityRanged",
            **key,
            "a_min": -1000,
            "a_max": 1000,
            "b_min": 0,
            "b_max": 1,
            "clip": True,
        },
        {"_target_": "EnsureTyped", **key},
    ]
    back = {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"}
    post: list[Any] = [
        {**back, "nearest_interp": False},
        {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        {"_target_": "SaveImaged", "keys": "pred", "resample": False},
    ]
    return chain, post


def make_bundle(folder: Path, outputs: int, kind: str) -> Path:
    """A bundle in the style of MONAI's zoo, by which labels are bands of HU, or what random weights make."""
    if folder.is_dir():
        return folder
    network = dict(CONVOLUTION if kind == "convolution" else UNET) | {"out_channels": outputs}
    chain, post = make_steps()
    config = {
        "network_def": network,
        "network": "$@network_def.to('cpu')",
        "preprocessing": {"_target_": "Compose", "transforms": chain},
        "inferer": {
            **{"_target_": "SlidingWindowInferer", "roi_size": [96] * 3, "sw_batch_size": 2},
            **{"overlap": 0.25, "mode": "gaussian"},
        },
        "postprocessing": {"_target_": "Compose", "transforms": post},
        "evaluator": {"network": "@network", "inferer": "@inferer", "postprocessing": "@postprocessing"},
        "checkpointloader": {
            "_target_": "CheckpointLoader",
            "load_path": "models/model.pt",
            "load_dict": {"model": "@network"},
        },
    }
    names = {"0": "background", **{str(n): f"organ {n}" for n in range(1, outputs)}}
    image = {"type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1, "spatial_shape": [96] * 3}
    pred = {**image, "format": "segmentation", "num_channels": outputs, "channel_def": names}
    formats = {"inputs": {"image": image}, "outputs": {"pred": pred}}
    metadata = {"version": "0.1.0", "task": "bands of HU", "network_data_format": formats}
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.manual_seed(0)
    if kind == "convolution":
        made: Any = torch.nn.Conv3d(1, outputs, 1)
        # Each output wins in a band of the values from 0 to 1: tangents of a parabola.
        middles = (torch.arange(outputs) + 0.5) / outputs
        made.load_state_dict({"weight": 2 * middles.view(-1, 1, 1, 1, 1), "bias": -(middles**2)})
    else:
        made = DynUNet(**{name: value for name, value in network.items() if name != "_target_"})
        if kind == "compact":
            leave_coarsest(made)
    torch.save(made.state_dict(), folder / "models" / "model.pt")
    return folder


def leave_coarsest(network: DynUNet) -> None:
    """Take all but the coarsest level out of a network, which then gives labels that change over many voxels."""
    with torch.no_grad():
        for block in network.upsamples:
            first, second = block.conv_block.conv1.conv.weight, block.conv_block.conv2.conv.weight
            first[:, first.shape[1] // 2 :] = 0  # of the skip
            for kernel in (block.transp_conv.conv.weight, first, second):
                kernel[:] = kernel.mean(dim=(2, 3, 4), keepdim=True)


def list_family(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [inner for child in task.read_text().split() for inner in list_family(int(child))]
        except OSError:
            continue
    return found


def measure_pss(pid: int) -> int:
    """Bytes that a process holds, of shared pages its share."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def follow(command: list[str]) -> tuple[float, float, float, str]:
    """Run a command; GiB at most, as they were stated, seconds, and what it said."""
    started, most = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 - our own
        while process.poll() is None:
            most = max(most, sum(map(measure_pss, list_family(process.pid))))
            time.sleep(1 / RATE)
        said = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(said)
    found = re.search(r"([\d.]+) GiB of memory at most", said)
    return most / 2**30, float(found[1]) if found else float("nan"), time.monotonic() - started, said


def compare(one: Path, other: Path) -> str:
    """Whether two masks hold the same labels."""
    pairs = zip(*(np.asanyarray(nib.load(path).dataobj).T for path in (one, other)), strict=True)
    return "yes" if all(np.array_equal(a, b) for a, b in pairs) else "NO"


def main() -> None:
    """Measure each load and print its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--loads", nargs="+", choices=list(LOADS), default=list(LOADS)[1:])
    parser.add_argument("--network", choices=["convolution", "unet", "compact"], default="convolution")
    parser.add_argument("--unlimited", action="store_true", help="predict without a limit, too, and compare")
    options = parser.parse_args()
    print(
        f"{'load':12} {'--ram':>6} {'stated':>7} {'taken':>7} {'ratio':>6} {'scratch':>8} {'seconds':>8} equal",
        flush=True,
    )
    for name in options.loads:
        load = LOADS[name]
        scan = make_scan(options.out / "scans", load)
        bundle = make_bundle(options.out / f"{options.network}-{load.outputs}", load.outputs, options.network)
        masks = {}
        for ram in (load.ram, *(["100G"] if options.unlimited else [])):
            folder = options.out / f"{options.network}-{name}-{ram}"
            command = [sys.executable, "-m", "medunet", "predict", bundle, scan, "-o", folder, "--trust", "--overwrite"]
            taken, stated, seconds, said = follow([*map(str, command), "--ram", ram])
            masks[ram] = next(folder.glob("*.nii.gz"))
            scratch = re.search(r"([\d.]+) GiB of scratch in", said)
            equal = compare(masks[load.ram], masks[ram]) if ram != load.ram else ""
            print(
                f"{name:12} {ram:>6} {stated:7.2f} {taken:7.2f} {stated / taken:6.2f} "
                f"{scratch[1] if scratch else '0':>8} {seconds:8.1f} {equal}",
                flush=True,
            )


if __name__ == "__main__":
    main()
