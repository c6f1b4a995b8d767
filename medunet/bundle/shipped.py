"""The bundles that come with medunet: found by their names, without a network."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PLACES = (PACKAGE / "shipped", PACKAGE.parent / "bundles")
"""Where they lie in an installed package, and in the sources."""


def list_shipped() -> dict[str, Path]:
    """Folders of the bundles that come with medunet, by their names, in the order of these."""
    plans = sorted(path for place in PLACES for path in place.glob("*/configs/plan.json"))
    return {path.parents[1].name: path.parents[1] for path in plans}


def locate_bundle(path: Path) -> Path:
    """The folder of a bundle that a user names by its path, or by its name where it comes with medunet.

    Args:
        path: as the user wrote it; what lies there goes before a bundle of that name.
    """
    return path if path.exists() else list_shipped().get(str(path), path)
