"""Seconds of one chest CT by stage: medunet and MONAI's stock run of the same bundle, in turn, in one process.

    python workflows/peers/predict_speed.py [--slices 275] [--rounds 3] [--windows 6] [--out FILE]
        [--nnunet .venv-nnunet/bin/python]

The CT is made up: a body, organs, a table and noise, 512 × 512 × 275 voxels of 0.8 × 0.8 × 1.25 mm. The bundle is in
the style of MONAI's zoo and has random weights: 32 to 320 features, 3 outputs, 1.5 mm, patches of 96³, overlap 0.25.
Stock is what `monai.bundle run` does with it on a CPU: its chain, sliding window, inversion and saving, in float32, one
patch at a time. medunet runs as `--preset exact` and `fast`, each with the backends there are.

Of the patches only the first `--windows` are computed, where that is given; the others get the logits of one of those,
and the seconds of the network are extrapolated by the number that each would compute, which the table says. Other
stages are whole. Ways back for 3 and 105 compact organs, and for noise in 25 classes, are timed with logits given.
nnU-Net's predictor does the same scan with its own U-Net of these features, where `--nnunet` names the Python of an
environment that holds it (`make nnunet-env`): by `nnunet_stages.py`, in a process of its own, whose start isn't timed.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal, Self

import nibabel as nib
import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.networks.nets import DynUNet
from torch import nn

from medunet.bundle import open_any_bundle
from medunet.geometry import Grid
from medunet.inference import Computing, Predictor, find_scan, make_maker
from medunet.inference.backends import Backend, has_openvino
from medunet.inference.predict import predict_prepared, prepare_scan
from medunet.preparation import resample_planes, take_largest

STAGES = ("reading and preparing", "network", "way back", "writing")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
NETWORK: dict[str, Any] = {
    **{"_target_": "DynUNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "kernel_size": [3] * 5},
    **{"strides": [1, 2, 2, 2, 2], "upsample_kernel_size": [2] * 4, "filters": [32, 64, 128, 256, 320]},
}
OVERLAP = 0.25
STAGES_OF_PEER = Path(__file__).parent / "nnunet_stages.py"


@dataclass
class Watch:
    """Times the network among all that is done.

    Attributes:
        most: windows that are computed, None for all.
        seconds: that computing took.
        computed: windows that were.
        windows: that there are.
    """

    most: int | None
    seconds: float = 0.0
    computed: int = 0
    windows: int = 0
    last: torch.Tensor | None = None

    def run(self, patches: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Logits of patches, or such as were computed before."""
        self.windows += len(patches)
        if self.last is not None and self.most is not None and self.computed >= self.most:
            return self.last[:1].expand(len(patches), *self.last.shape[1:])
        started = time.perf_counter()
        self.last = network(patches)
        self.seconds += time.perf_counter() - started
        self.computed += len(patches)
        return self.last

    @property
    def extrapolated(self) -> float:
        """Seconds of all windows."""
        return self.seconds / self.computed * self.windows


class WatchedBackend(Backend):
    """Another backend, whose calls are timed."""

    def __init__(self, backend: Backend, watch: Watch) -> None:
        self._backend, self._watch = backend, watch

    @property
    def traits(self) -> Any:
        """Those of the other one."""
        return self._backend.traits

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        """Open the other one."""
        self._backend.open(network, patch, dims)
        return self

    def close(self) -> None:
        """Close the other one."""
        self._backend.close()

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        """See `Watch.run`."""
        return self._watch.run(patches, self._backend.run)


def main() -> int:
    """Parse the command line, time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="columns and rows")
    parser.add_argument("--slices", type=int, default=275)
    parser.add_argument("--rounds", type=int, default=3, help="of each, in turn")
    parser.add_argument("--windows", type=int, help="compute so many and extrapolate")
    parser.add_argument("--spacing", type=float, default=1.5, help="of the network's grid, in mm")
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--features", default="32,64,128,256,320")
    parser.add_argument("--nnunet", type=Path, help="the Python of an environment that holds nnU-Net")
    parser.add_argument("--out", type=Path, help="write the tables there too")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        scan = write_chest(Path(folder) / "chest.nii.gz", arguments.size, arguments.slices)
        features = [int(part) for part in arguments.features.split(",")]
        bundle = write_bundle(Path(folder) / "chest_bundle", (arguments.patch, arguments.spacing), features)
        peers: dict[str, Callable[[], list[float]]] = {}
        if arguments.nnunet:
            job = {"scan": str(scan), "spacing": arguments.spacing, "patch": arguments.patch, "features": features}
            peers["nnU-Net, not mirrored"] = partial(run_nnunet, arguments.nnunet, job, Path(folder), arguments.windows)
        rows = compare(bundle, scan, Path(folder), (arguments.rounds, arguments.windows), peers)
    said = "" if arguments.windows is None else f"; network: extrapolated from {arguments.windows} windows"
    text = tabulate(rows, f"CPU: {find_flags()}, {torch.get_num_threads()} threads{said}")
    text += tabulate_ways_back(arguments.size, arguments.slices, arguments.spacing)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)
    return 0


def find_flags() -> str:
    """Of the instruction sets that matter those that the processor has."""
    words = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    return " ".join(flag for flag in FLAGS if flag in words) or "none of " + " ".join(FLAGS)


def write_chest(path: Path, size: int, slices: int) -> Path:
    """Write a made-up chest CT as NIfTI."""
    rng, steps = np.random.default_rng(0), 410 / size
    x, y = np.meshgrid(*[(np.arange(size) - size / 2) * steps] * 2, indexing="ij")
    voxels = np.empty((size, size, slices), np.int16)
    for k in range(slices):
        plane = np.full((size, size), -1000.0)
        plane[(x / 170) ** 2 + (y / 110) ** 2 < 1] = 40
        for side in (-1, 1):
            plane[((x - side * 70) / 45) ** 2 + (y / 70) ** 2 < 1] = -850
        plane[((x - 10) / 30) ** 2 + ((y + 20) / 30) ** 2 < 1] = 120
        plane[(abs(x) < 180) & (abs(y + 140) < 8)] = 100
        voxels[:, :, k] = plane + rng.normal(0, 15, plane.shape)
    nib.save(nib.Nifti1Image(voxels, np.diag([-steps, -steps, 1.25, 1.0])), path)
    return path


def write_bundle(folder: Path, window: tuple[int, float], features: list[int]) -> Path:
    """Write a bundle in the style of MONAI's zoo, with random weights, for patches of such a side and spacing."""
    patch, spacing = window
    depth = len(features)
    network = NETWORK | {
        **{"kernel_size": [3] * depth, "strides": [1] + [2] * (depth - 1)},
        **{"upsample_kernel_size": [2] * (depth - 1), "filters": features},
    }
    key = {"keys": "image"}
    chain = [
        {"_target_": "LoadImaged", **key},
        {"_target_": "EnsureChannelFirstd", **key},
        {"_target_": "Orientationd", **key, "axcodes": "RAS"},
        {"_target_": "Spacingd", **key, "pixdim": [spacing] * 3, "mode": "bilinear"},
        {"_target_": "ScaleIntensityRanged", **key, "a_min": -950, "a_max": 250, "b_min": 0, "b_max": 1, "clip": True},
        {"_target_": "EnsureTyped", **key},
    ]
    back = [
        {
            **{"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"},
            **{"nearest_interp": False, "to_tensor": True},
        },
        {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        {"_target_": "SaveImaged", "keys": "pred", "output_dir": "out", "resample": False, "print_log": False},
    ]
    sliding = {"_target_": "SlidingWindowInferer", "roi_size": [patch] * 3, "sw_batch_size": 1, "overlap": OVERLAP}
    config = {
        "network_def": network,
        "network": "@network_def",
        "preprocessing": {"_target_": "Compose", "transforms": chain},
        "inferer": sliding | {"mode": "gaussian"},
        "postprocessing": {"_target_": "Compose", "transforms": back},
        "checkpointloader": {
            **{"_target_": "CheckpointLoader", "load_path": "models/model.pt"},
            "load_dict": {"model": "@network"},
        },
    }
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps(describe_bundle(folder.name, patch)))
    torch.manual_seed(0)
    torch.save(DynUNet(**{name: value for name, value in network.items() if name != "_target_"}).state_dict(),
               folder / "models" / "model.pt")  # fmt: skip
    return folder


def describe_bundle(name: str, patch: int) -> dict[str, Any]:
    """The metadata of the bundle."""
    names = {str(value): label for value, label in enumerate(("background", "left", "right"))}
    channel = {"type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1, "is_patch_data": True}
    formats = {
        "inputs": {"image": {**channel, "spatial_shape": [patch] * 3, "dtype": "float32", "channel_def": {"0": "ct"}}},
        "outputs": {"pred": {**channel, "format": "segmentation", "num_channels": 3, "channel_def": names}},
    }
    return {"version": "0.1.0", "name": name, "network_data_format": formats}


def compare(
    bundle: Path, scan: Path, out: Path, often: tuple[int, int | None], peers: dict[str, Callable[[], list[float]]]
) -> dict[str, list[list[float]]]:
    """Seconds of each stage, by what was run, a list a round; `often` is the number of rounds and of windows."""
    rounds, windows = often
    ways: dict[str, Callable[[], list[float]]] = {"MONAI stock": partial(run_stock, bundle, scan, out, windows)}
    backends = ("openvino", "torch") if has_openvino() else ("torch",)
    for preset in ("exact", "fast"):
        for name in backends:
            computing = Computing(preset, name)  # type: ignore[arg-type]
            maker = make_maker(open_any_bundle(bundle), None, computing)
            how = f"medunet {preset}, {name} {maker.computed.precision}"
            ways[how] = partial(run_medunet, maker.load(), scan, out, windows)
    ways |= peers
    found: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            found[name].append(run())
    return found


def run_medunet(predictor: Predictor, path: Path, out: Path, windows: int | None) -> list[float]:
    """Seconds of each stage of medunet's path."""
    watch, times = Watch(windows), [time.perf_counter()]
    watched = replace(predictor, backend=WatchedBackend(predictor.backend, watch))
    prepared = prepare_scan(predictor.recipe, find_scan(path, predictor.recipe.task))
    times.append(time.perf_counter())
    mask = predict_prepared(watched, prepared)
    times.append(time.perf_counter())
    mask.save(out / "mask.nii.gz")
    times.append(time.perf_counter())
    (out / "mask.nii.gz").unlink()
    reading, both, writing = np.diff(times).tolist()
    return [reading, watch.extrapolated, both - watch.seconds, writing]


def run_stock(bundle: Path, path: Path, out: Path, windows: int | None) -> list[float]:
    """Seconds of each stage of what MONAI does with the bundle, without medunet."""
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser["postprocessing"]["transforms"][-1]["output_dir"] = str(out)
    network: nn.Module = parser.get_parsed_content("network")
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    network.eval()
    watch = Watch(windows)
    chain, inferer, back = (parser.get_parsed_content(key) for key in ("preprocessing", "inferer", "postprocessing"))
    times = [time.perf_counter()]
    data = chain({"image": str(path)})
    times.append(time.perf_counter())
    with torch.no_grad():
        data["pred"] = inferer(data["image"][None], lambda patches: watch.run(patches, network))[0]
    for step in back.transforms[:-1]:
        data = step(data)
    times.append(time.perf_counter())
    back.transforms[-1](data)
    times.append(time.perf_counter())
    reading, both, writing = np.diff(times).tolist()
    return [reading, watch.extrapolated, both - watch.seconds, writing]


def run_nnunet(python: Path, job: dict[str, Any], out: Path, windows: int | None) -> list[float]:
    """Seconds of each stage of nnU-Net's predictor."""
    asked, answered = out / "job.json", out / "answer.json"
    more = {"out": str(out / "peer.nii.gz"), "classes": NETWORK["out_channels"], "windows": windows, "overlap": OVERLAP}
    asked.write_text(json.dumps(job | more))
    subprocess.run([python, STAGES_OF_PEER, asked, answered], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    found: list[float] = json.loads(answered.read_text())
    return found


def tabulate(found: dict[str, list[list[float]]], said: str) -> str:
    """Medians of each stage, and how many times as fast as the first all is."""
    lines = [said, "", f"| | {' | '.join(STAGES)} | all but the network | sum | times as fast |", "|---" * 8 + "|"]
    first = 0.0
    for name, rows in found.items():
        stages = [median(column) for column in zip(*rows, strict=True)]
        total = sum(stages)
        first = first or total
        cells = [f"{seconds:.1f}" for seconds in (*stages, total - stages[1], total)]
        lines.append(f"| {name} | {' | '.join(cells)} | {first / total:.2f} |")
    return "\n".join([*lines, "", ""])


def make_organs(classes: int, shape: tuple[int, int, int], noise: float) -> Iterator[torch.Tensor]:
    """Planes of logits (classes, J, K) of compact organs that fill a body, with noise."""
    generator = torch.Generator().manual_seed(0)
    side = int(np.ceil((classes - 1) ** (1 / 3)))
    places = torch.tensor([[n // side**2, n // side % side, n % side] for n in range(classes - 1)])
    centres = (places + 0.5) / side * torch.tensor(shape)
    radius = 0.45 * min(shape) / side
    j, k = torch.meshgrid(*[torch.arange(size).float() for size in shape[1:]], indexing="ij")
    for i in range(shape[0]):
        away = [((i - a) ** 2 + (j - b) ** 2 + (k - c) ** 2).sqrt() for a, b, c in centres.tolist()]
        organs = ((radius - torch.stack(away)) / 2).clamp(-8, 8)
        plane = torch.cat([torch.zeros_like(organs[:1]), organs])
        yield plane + noise * torch.randn(plane.shape, generator=generator) if noise else plane


def time_way_back(classes: int, noise: float, shape: tuple[int, int, int], spacing: float) -> float:
    """Seconds from logits to labels on the scan's grid, without making the logits."""
    source = Grid(shape, np.diag([410 / shape[0], 410 / shape[0], 1.25, 1]))
    i, j, k = (int((n - 1) * mm / spacing) + 1 for n, mm in zip(shape, source.spacing, strict=True))
    network = Grid((i, j, k), np.diag([spacing] * 3 + [1]))
    made = 0.0

    def watch() -> Iterator[torch.Tensor]:
        nonlocal made
        planes = make_organs(classes, network.shape, noise)
        for _ in range(network.shape[0]):
            started = time.perf_counter()
            plane = next(planes)
            made += time.perf_counter() - started
            yield plane

    started = time.perf_counter()
    resample_planes(watch(), network, source, take_largest)
    return time.perf_counter() - started - made


def tabulate_ways_back(size: int, slices: int, spacing: float) -> str:
    """Seconds of ways back, and times those of 3 compact organs."""
    lines, first = ["| logits given | way back | times that of 3 classes |", "|---|---|---|"], 0.0
    for name, classes, noise in (("3 compact", 3, 0.0), ("105 compact", 105, 0.0), ("25 of noise", 25, 3.0)):
        seconds = time_way_back(classes, noise, (size, size, slices), spacing)
        first = first or seconds
        lines.append(f"| {name} | {seconds:.1f} | {seconds / first:.1f} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
