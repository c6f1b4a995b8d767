"""Break a shipped bundle in many ways, and tell what MONAI makes of each and what medunet says.

python workflows/claims/broken_bundles.py [BUNDLE]

MONAI alone predicts the self-test of each broken copy (`python -m monai.bundle run`, of inference.json and what the
break adds); the table tells its exit code and the Dice of its mask
beside the one of the intact bundle. medunet runs `medunet bundle check`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import medunet
from medunet.bundle import read_weights, write_weights
from medunet.codes import Code
from medunet.files import hash_file
from medunet.reading.volume import read_label_map

BUNDLE = Path(__file__).parents[2] / "bundles" / "nuclei_unet2d"
CASE = Path("docs") / "selftest"
Voxels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Break:
    """One way to break a bundle.

    Attributes:
        name: what was done, in words.
        code: of the finding that tells it.
        do: does it to a copy.
        overrides: configuration that MONAI gets, too.
        others: codes of findings that come with it.
    """

    name: str
    code: Code
    do: Callable[[Path], None]
    overrides: str = ""
    others: tuple[Code, ...] = ()


def edit(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change a JSON file of a bundle."""
    path = folder / "configs" / name
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None], *, noted: bool) -> None:
    """Change the weights; where that is noted, their hash is told anew."""
    path = folder / "models" / "model.pt"
    _, state = read_weights(path, None)
    change(state)
    write_weights(path, state)
    if noted:
        edit(folder, "metadata.json", lambda content: content.update(weights_sha256=hash_file(path)))


def shake(state: dict[str, torch.Tensor]) -> None:
    """Change all weights, equal ones alike."""
    for key, value in state.items():
        state[key] = value + 0.05 * torch.sin(torch.arange(value.numel()) * 7.0).view(value.shape)


def spoil(state: dict[str, torch.Tensor]) -> None:
    """Put a number that is none into a tensor."""
    state[next(iter(state))].view(-1)[0] = torch.nan


def _drop_normalization(content: Any) -> None:
    steps = content["preprocessing"]["transforms"]
    steps[:] = [step for step in steps if step["_target_"] != "NormalizeIntensityd"]


def _misspell(content: Any) -> None:
    content["initialise"] = content.pop("initialize")


def _remove_licence(folder: Path) -> None:
    (folder / "LICENSE").unlink()


def _override_nothing(folder: Path) -> None:
    (folder / "configs" / "inference_fast.json").write_text('{"overlapp": 0.1, "inferer#sw_batch_size": 8}')


def _count_wrongly(folder: Path) -> None:
    path = folder / "docs" / "README.md"
    path.write_text(path.read_text(encoding="utf-8").replace("1.9 million", "3.9 million"), encoding="utf-8")


POEM = "The Zen of Python"
"""What the import of `this` prints, wherever it is run."""
BREAKS = (
    Break("weights of another training", "weights-wrong", lambda at: change_weights(at, shake, noted=False)),
    Break(
        "the same, with their hash",
        "bundle-selftest",
        lambda at: change_weights(at, shake, noted=True),
        others=("bundle-card",),
    ),
    Break(
        "no hash of the weights",
        "weights-wrong",
        lambda at: edit(at, "metadata.json", lambda content: content.pop("weights_sha256")),
    ),
    Break(
        "a NaN in the weights, with their hash",
        "weights-wrong",
        lambda at: change_weights(at, spoil, noted=True),
        others=("bundle-card",),
    ),
    Break(
        "normalisation left out of the chain",
        "bundle-chain",
        lambda at: edit(at, "inference.json", _drop_normalization),
    ),
    Break(
        "`initialise` for `initialize`",
        "bundle-reference",
        lambda at: edit(at, "inference.json", _misspell),
        others=("bundle-wrong", "bundle-runs"),
    ),
    Break("an override that points at nothing", "bundle-reference", _override_nothing, "inference_fast.json"),
    Break(
        "a folder of somebody's machine",
        "bundle-place",
        lambda at: edit(at, "evaluate.json", lambda content: content.update(dataset_dir="/home" + "/somebody/scans")),
    ),
    Break(
        "a patient's name in metadata.json",
        "bundle-identity",
        lambda at: edit(at, "metadata.json", lambda content: content.update(PatientName="Doe^Jane")),
    ),
    Break(
        "an import in metadata.json",
        "bundle-runs",
        lambda at: edit(at, "metadata.json", lambda content: content.update(about="$import this")),
    ),
    Break(
        "one output fewer in metadata.json",
        "bundle-forward",
        lambda at: edit(
            at,
            "metadata.json",
            lambda content: content["network_data_format"]["outputs"]["pred"].update(num_channels=2),
        ),
        others=("bundle-schema",),
    ),
    Break("a wrong number of weights in the card", "bundle-card", _count_wrongly),
    Break("no licence", "bundle-incomplete", _remove_licence, others=("bundle-card",)),
)
"""Each way, and the code of the finding that tells it."""


def run_monai(folder: Path, overrides: str = "") -> tuple[str, Voxels | None]:
    """What MONAI alone makes of the self-test of a bundle, in words, and its mask if it writes one."""
    configs = [str(folder / "configs" / name) for name in ("inference.json", overrides) if name]
    images = str(folder / CASE / "images")
    with tempfile.TemporaryDirectory() as place:
        arguments = ["--config_file", str(configs), "--dataset_dir", images, "--output_dir", place]
        command = [sys.executable, "-m", "monai.bundle", "run", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=place, check=False)  # noqa: S603
        ran = ", having run it" if POEM in done.stdout else ""
        masks = list(Path(place).glob("*_mask.*"))
        mask = np.not_equal(read_label_map(masks[0]), 0) if masks else None
        return f"exit code {done.returncode}{ran}", mask


def tell(item: Break, bundle: Path, place: Path, intact: Voxels) -> str:
    """A row of the table, in Markdown; `intact` is MONAI's mask by the bundle as it was."""
    folder = Path(shutil.copytree(bundle, place / bundle.name))
    item.do(folder)
    said, mask = run_monai(folder, item.overrides)
    dice = None if mask is None else 2 * (mask & intact).sum() / max(mask.sum() + intact.sum(), 1)
    monai = f"{said}, no mask" if dice is None else f"{said}, Dice {dice:.3f}"
    found = [f for f in medunet.check_bundle(folder) if f.code == item.code and f.severity != "note"]
    said = f"{found[0].severity} `{found[0].code}`: {found[0].found}" if found else "nothing"
    return f"| {item.name} | {monai} | {said.replace('|', '/')} |"


def main() -> int:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="?", default=BUNDLE)
    bundle = parser.parse_args().bundle.resolve()
    print("| what was broken | MONAI alone | medunet bundle check |\n|---|---|---|")
    intact = run_monai(bundle)[1]
    if intact is None:
        print(f"broken_bundles: MONAI alone makes no mask by {bundle}", file=sys.stderr)
        return 2
    for item in (Break("nothing", "bundle-runs", lambda _: None), *BREAKS):
        with tempfile.TemporaryDirectory() as place:
            print(tell(item, bundle, Path(place), intact), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
