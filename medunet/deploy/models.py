"""The bundle in a folder of models, as a container has it."""

from pathlib import Path

from medunet.bundle import Bundle, ForeignBundle, open_any_bundle


def find_bundle(folder: Path) -> Bundle | ForeignBundle:
    """Open the bundle in a model folder: the folder itself, or its only subfolder, as a container has it.

    Raises:
        BundleError: there is none.
    """
    inner = list(folder.glob("*/configs/metadata.json"))
    alone = len(inner) == 1 and not (folder / "configs").exists()
    return open_any_bundle(inner[0].parents[1] if alone else folder)
