"""Where the weights of a bundle from elsewhere lie, by its `CheckpointLoader`."""

from pathlib import Path

from medunet.bundle.literals import Literals, find_components, locate
from medunet.errors import BundleError


def find_foreign_weights(literals: Literals, folder: Path, path: Path) -> tuple[Path, str]:
    """The file of weights, and the entry that it may hold them under.

    Args:
        literals: of the configuration; a loader that was found counts as used.
        folder: the bundle.
        path: of the configuration, for messages.

    Raises:
        BundleError: there is no such file, or several are loaded.
    """
    found: dict[str, str] = {}
    for key, loader in find_components(literals.config, "CheckpointLoader"):
        names = loader.get("load_dict")
        entries = [n for n, item in names.items() if "network" in str(item)] if isinstance(names, dict) else []
        place = literals.resolve(loader.get("load_path"), f"{key}::load_path")
        if entries and isinstance(place, str):
            literals.used.add(key.partition("::")[0])
            found[place] = entries[0]
    if len(found) > 1:
        said = f"it loads several files of weights: {', '.join(found)}"
        raise BundleError(path, said, "leave one CheckpointLoader")
    name, entry = next(iter(found.items()), ("models/model.pt", "model"))
    weights = locate(name, folder)
    if not weights.is_file():
        remedy = "download what large_files.yml names, or put the weights there"
        raise BundleError(weights, "the bundle's weights are missing", remedy, code="weights-missing")
    return weights, entry
