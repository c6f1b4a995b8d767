"""Make a shipped bundle ready to be handed on: equal tensors stored once, hashes noted, its self-test written, checked.

python workflows/hand_over.py BUNDLE...

The values of all weights stay what they are, bit for bit. A bundle that is trained by medunet is written like that at
once; this is for those that were trained before.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from command import finish

import medunet
from medunet.bundle import find_weights, open_bundle, publish_folds, publish_weights, read_weights, write_weights


def hand_over(folder: Path) -> None:
    """Rewrite the weights of a bundle, write its self-test, and print what is found."""
    store_once(folder)
    print(medunet.write_selftest(folder).voxels)
    for found in medunet.check_bundle(folder):
        print(f"{found.severity:8} {found.code}: {found.found}")


def store_once(folder: Path) -> None:
    """Store equal tensors of a bundle's weights once."""
    bundle = open_bundle(folder)
    states = {path: read_weights(path, wanted)[1] for path, wanted in find_weights(folder, bundle.metadata).items()}
    if not bundle.metadata.fold_weights:
        publish_weights(folder, next(iter(states.values())), {})
    else:
        with tempfile.TemporaryDirectory() as place:
            files = {int(path.stem.removeprefix("model_fold")): Path(place) / path.name for path in states}
            for path, state in zip(files.values(), states.values(), strict=True):
                write_weights(path, state)
            publish_folds(folder, files, {})
    for path, before in states.items():
        after = read_weights(path, None)[1]
        if list(after) != list(before) or not all(torch.equal(after[key], before[key]) for key in before):
            raise RuntimeError(f"{path} holds other weights than before")


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    folders = parser.parse_args().bundles
    return max(finish("hand_over", lambda folder=folder: hand_over(folder)) for folder in folders)  # type: ignore[misc]


if __name__ == "__main__":
    sys.exit(main())
