"""The bundle in a folder of models, as a container has it."""

from pathlib import Path

from medunet.bundle import Bundle, ForeignBundle, open_any_bundle
from medunet.inference import Maker, make_maker


def find_bundle(folder: Path) -> Bundle | ForeignBundle:
    """Open the bundle in a model folder: the folder itself, or its only subfolder, as a container has it.

    Raises:
        BundleError: there is none.
    """
    inner = list(folder.glob("*/configs/metadata.json"))
    alone = len(inner) == 1 and not (folder / "configs").exists()
    return open_any_bundle(inner[0].parents[1] if alone else folder)


def load_bundle(folder: Path) -> tuple[Bundle | ForeignBundle, Maker]:
    """The bundle in a model folder and what predicts by it, its weights loaded before a scan is looked for.

    Raises:
        BundleError: there is none, or its weights don't fit.
    """
    bundle = find_bundle(folder)
    maker = make_maker(bundle)
    maker.load()
    return bundle, maker
