"""What partial labels cost where each organ is contoured in a third of the patients, and what background would.

    python workflows/claims/partial_labels.py DIR [--patients 24] [--steps 250] [--seeds 0 1 2]

Made-up patients have two organs. One network is trained on all contours, one on those of a third of the patients for
each organ with `--missing unknown`, and one on the same with `--missing absent`, which takes the rest for background,
as other programs do. All three have the same images, held-out patients (who have all contours), patches and steps.
"""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Literal

import nibabel as nib
import numpy as np
import numpy.typing as npt

import medunet
from medunet.bundle import open_bundle, rewrite_bundle
from medunet.cohort import LabelChoices
from medunet.files import whole_folder
from medunet.records import write_json, write_record
from medunet.training import CONFIGS, Schedule, find_run

sys.path.append(str(Path(__file__).parents[1]))  # where lies what all workflows share

from command import finish

ORGANS = ("large organ", "small organ")
SHAPE = (24, 24, 16)
SPACING = (3.0, 3.0, 3.0)
HELD_OUT = 6
"""Patients who are never trained on."""
WAYS: Mapping[str, Literal["absent", "unknown"]] = {
    "all contours": "absent",
    "unknown": "unknown",
    "background": "absent",
}
"""What is trained on, with what a missing label is said to mean."""
EPOCHS = 10
Voxels = npt.NDArray[np.int16]


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=24, help="to train on, in thirds")
    parser.add_argument("--steps", type=int, default=250, help="of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    return finish("partial_labels", lambda: _print(arguments))


def _print(arguments: argparse.Namespace) -> None:
    found = measure(arguments.folder, arguments.patients, arguments.steps, arguments.seeds)
    print(f"{'':14}" + "".join(f"seed {seed:<6}" for seed in arguments.seeds) + "mean Dice of held-out patients")
    for way, values in found.items():
        print(f"{way:14}" + "".join(f"{value:<11.3f}" for value in values) + f"{mean(values):.3f}")
    unknown, background = find_costs(found)
    print(f"unknown costs {unknown:.3f}, background {background:.3f}")


def measure(folder: Path, patients: int, steps: int, seeds: Sequence[int]) -> dict[str, list[float]]:
    """Train each way with each seed; what is trained there is not trained again.

    Returns:
        For each of `WAYS` the mean Dice of the held-out patients, seed by seed.
    """
    return {way: [train(folder, way, patients, steps, seed) for seed in seeds] for way in WAYS}


def find_costs(found: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """Dice that the unknown and the background cost beside all contours, as means over the seeds."""
    best = mean(found["all contours"])
    return best - mean(found["unknown"]), best - mean(found["background"])


def train(folder: Path, way: str, patients: int, steps: int, seed: int) -> float:
    """Dice of the held-out patients after so many steps."""
    place = folder / f"{way.replace(' ', '-')}-{patients}-{steps}-{seed}"
    cohort, bundle = place / "cohort", place / "bundle"
    if not (bundle / "models" / "model.pt").is_file():
        shutil.rmtree(place, ignore_errors=True)
        write_patients(cohort, patients, seed, complete=way == "all contours")
        medunet.init(cohort, bundle, budget_minutes=1, labels=LabelChoices(missing=WAYS[way]))
        made = open_bundle(bundle)
        network = {"filters": (6, 12, 24), "strides": ((1, 1, 1), (2, 2, 2), (2, 2, 2)), "kernels": ((3, 3, 3),) * 3}
        plan = made.plan.change(
            network={**network, "heads": 1},
            window={"patch": (24, 24, 16)},
            training={"seed": seed, "loss": "dice_ce", "batch": 2, "foreground_share": 0.0},
        )
        rewrite_bundle(made, plan, CONFIGS)
        schedule = Schedule(
            epochs=EPOCHS,
            steps_per_epoch=max(1, steps // EPOCHS),
            validation_interval=EPOCHS,
            budget_seconds=3600.0 * 24,
            seconds_per_step=1.0,
            loader_patches_per_second=1.0,
            network_patches_per_second=1.0,
        )
        write_record(find_run(made, 0).schedule, schedule)
        medunet.train(bundle, fold=0)
    training = open_bundle(bundle).metadata.training
    return float(training.validation_dice) if training and isinstance(training.validation_dice, float) else 0.0


def write_patients(folder: Path, patients: int, seed: int, *, complete: bool) -> None:
    """Write a cohort of patients to train on, and of those that are held out, whose contours are all there.

    Args:
        folder: that is made.
        patients: to train on: one third has the first organ contoured, one the second, one none.
        seed: of everything that is drawn; the same patients, however they are contoured.
        complete: all have both.
    """
    names = [f"patient{number:03d}" for number in range(patients + HELD_OUT)]
    with whole_folder(folder) as part:
        cases = []
        for number, name in enumerate(names):
            image, label = draw_patient(np.random.default_rng((seed, number)))
            kept = number % 3 + 1
            if number < patients and not complete:
                label = label * (label == kept)
            for kind, voxels in (("ct", image), ("label", label)):
                nib.save(nib.Nifti1Image(voxels, np.diag([*SPACING, 1.0])), part / f"{name}_{kind}.nii.gz")
            channels = {"ct": {"path": f"{name}_ct.nii.gz"}}
            label_file = {"path": f"{name}_label.nii.gz"}
            cases.append({"id": name, "patient": name, "channels": channels, "label": label_file})
        content = {"channels": ["ct"], "modalities": {"ct": "CT"}, "labels": list(ORGANS), "cases": cases}
        write_json(part / "cohort.json", {**content, "folds": [names[patients:], names[:1]]})


def draw_patient(random: np.random.Generator) -> tuple[Voxels, Voxels]:
    """Image and label map of two organs at about their places, which differ in size and brightness."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    image, label = random.normal(0, 40, SHAPE), np.zeros(SHAPE, np.int16)
    for value, (centre, radius, light) in enumerate([((8, 9, 7), 6, 80), ((17, 16, 9), 5, 60)], 1):
        middle = np.array(centre) + random.uniform(-1.5, 1.5, 3)
        axes = radius * random.uniform(0.8, 1.2, 3)
        inside = (((grid - middle[:, None, None, None]) / axes[:, None, None, None]) ** 2).sum(0) <= 1
        label[inside] = value
        image[inside] += light
    return image.astype(np.int16), label


if __name__ == "__main__":
    sys.exit(main())
