"""A plain MONAI training beside medunet: the same held-out cases and minutes, MONAI's own parts and usual settings.

python workflows/peers/plain_monai.py BUNDLE --out DIR --fold 0 --budget 60m

BUNDLE is one of medunet's, planned or trained: its cohort, fold and spacing are taken, and nothing else. DynUNet of 16
to 160 features, batches of 2, AdamW with a cosine, patches around labels (RandCropByPosNegLabeld), flips along all
axes, rotation and scaling, noise, intensity; Dice and cross-entropy; mirrored at test. What wasn't contoured in a case
counts as background, as in all such scripts. Scores of the held-out cases, where labels are known and on the grids of
their scans, go to DIR/scores.json, which `medunet compare` takes. The cohort's files are NIfTI.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader, decollate_batch
from monai.inferers import sliding_window_inference
from monai.losses import DiceCELoss
from monai.networks.nets import DynUNet
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    EnsureChannelFirstd,
    Invertd,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    ScaleIntensityRanged,
    Spacingd,
    SpatialPadd,
)

sys.path.append(str(Path(__file__).parents[1]))  # where lies what all workflows share
from command import finish

from medunet.bundle import Bundle, open_bundle
from medunet.cli.arguments import parse_minutes
from medunet.cohort import Case, open_case, split_cases
from medunet.evaluation import CaseScore, Scores, score_case, summarize
from medunet.labels import Mask
from medunet.progress import track
from medunet.records import write_record

PATCH = 64
"""Voxels along each side of a patch."""
BATCH = 2
FEATURES = (16, 32, 64, 128, 160)
METHOD = "plain MONAI"
AXES = ((2,), (3,), (4,), (2, 3), (2, 4), (3, 4), (2, 3, 4))


def list_files(bundle: Bundle, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Paths of images and label maps, as MONAI takes them."""
    first = bundle.cohort().channels[0]
    return [
        {"image": case.channels[first].path, "label": case.label.path if case.label else None, "id": case.id}
        for case in cases
    ]


def make_steps(bundle: Bundle, keys: Sequence[str]) -> list[Any]:
    """Reading, orientation, spacing and values."""
    spacing = bundle.plan.grid.spacing_mm
    modes = ["bilinear" if key == "image" else "nearest" for key in keys]
    ct = bundle.cohort().modalities[bundle.cohort().channels[0]] == "CT"
    scale = ScaleIntensityRanged("image", -175, 250, 0, 1, clip=True) if ct else NormalizeIntensityd("image")
    return [
        LoadImaged(keys),
        EnsureChannelFirstd(keys),
        Orientationd(keys, axcodes="RAS", labels=None),
        Spacingd(keys, pixdim=spacing, mode=modes),
        scale,
    ]


def make_augmentation() -> list[Any]:
    """Patches around labels and elsewhere, and how they are changed."""
    both = ["image", "label"]
    sides = (PATCH, PATCH, PATCH)
    return [
        SpatialPadd(both, sides),
        RandCropByPosNegLabeld(both, "label", sides, pos=1, neg=1, num_samples=1),
        RandAffined(
            both,
            prob=0.3,
            rotate_range=(0.26, 0.26, 0.26),
            scale_range=(0.15, 0.15, 0.15),
            mode=("bilinear", "nearest"),
            padding_mode="border",
        ),
        *(RandFlipd(both, prob=0.5, spatial_axis=axis) for axis in range(3)),
        RandGaussianNoised("image", prob=0.15, std=0.05),
        RandScaleIntensityd("image", factors=0.2, prob=0.3),
        RandShiftIntensityd("image", offsets=0.1, prob=0.3),
    ]


def make_network(classes: int) -> DynUNet:
    """The network of MONAI's examples."""
    levels = len(FEATURES)
    return DynUNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=classes,
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=FEATURES,
        res_block=True,
    )


def train(bundle: Bundle, cases: Sequence[Case], minutes: float) -> tuple[DynUNet, int]:
    """Train until the minutes end, reading included; gives the network and its steps."""
    started = time.monotonic()
    torch.manual_seed(0)
    steps = Compose([*make_steps(bundle, ["image", "label"]), *make_augmentation()])
    data = CacheDataset(list_files(bundle, cases), steps, num_workers=0, progress=False)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, num_workers=1, persistent_workers=True)
    network = make_network(1 + len(bundle.task.labels.names))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    loss_function = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True)
    seconds, begun = minutes * 60, time.monotonic()
    for count, batch in enumerate(repeat(loader)):
        now = time.monotonic()
        if now - started >= seconds:
            return network, count
        share = (now - begun) / max(seconds - (begun - started), 1e-9)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * 0.5 * (1 + float(np.cos(np.pi * min(1.0, share))))
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(batch["image"])
        loss = loss_function(logits.float(), batch["label"])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
        optimizer.step()
    raise ValueError("there is no case")


def repeat(loader: DataLoader) -> Iterator[dict[str, torch.Tensor]]:
    """Batches without an end; each time through the cases is another one."""
    while True:
        yield from loader


@torch.no_grad()
def predict(bundle: Bundle, network: DynUNet, cases: Sequence[Case]) -> Scores:
    """Predict, mirrored, on the grid of each scan, and score where labels are known."""
    network.eval()
    steps = Compose(make_steps(bundle, ["image"]))
    back = Compose(
        [
            Activationsd("pred", softmax=True),
            Invertd("pred", transform=steps, orig_keys="image", nearest_interp=False, to_tensor=True),
            AsDiscreted("pred", argmax=True),
        ]
    )
    cohort, found = bundle.cohort(), list[CaseScore]()
    for case, files in track(list(zip(cases, list_files(bundle, cases), strict=True)), "predicting", len(cases)):
        batch = next(iter(DataLoader([steps({"image": files["image"]})], batch_size=1)))

        def run(patch: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                turned = [network(patch), *(network(patch.flip(axes)).flip(axes) for axes in AXES)]
            return torch.stack(turned).float().mean(dim=0)

        batch["pred"] = sliding_window_inference(batch["image"], (PATCH,) * 3, 2, run, 0.5, "gaussian")
        made = back(decollate_batch(batch)[0])["pred"]
        voxels = made[0].numpy().astype(np.uint8)
        _, truth = open_case(cohort, case)
        if voxels.shape != truth.grid.shape or not np.allclose(made.affine, truth.grid.affine, atol=1e-3):
            raise ValueError(f"{case.id}: the mask lies on another grid")
        found += score_case(Mask("classes", voxels, truth.grid, truth.table), truth, case.id)
    return Scores(unit="mm", methods={METHOD: tuple(found)})


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and scores")
    parser.add_argument("--fold", type=int, default=0, help="whose patients are held out")
    parser.add_argument("--budget", type=parse_minutes, default="60m", help="time for training, like 60m")
    arguments = parser.parse_args()

    def run() -> None:
        bundle = open_bundle(arguments.bundle)
        training, held_out = split_cases(bundle.cohort(), arguments.fold)
        network, steps = train(bundle, training, arguments.budget)
        arguments.out.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), arguments.out / "model.pt")
        scores = predict(bundle, network, held_out)
        write_record(arguments.out / "scores.json", scores)
        print(f"{steps} steps in {arguments.budget:g} min")
        for row in summarize(scores):
            print(f"{row.label}: Dice {row.dice}, NSD {row.nsd}, {row.holding} cases")

    return finish("plain_monai", run)


if __name__ == "__main__":
    sys.exit(main())
