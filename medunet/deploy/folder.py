"""The build folder of a bundle's container: everything that `docker build` needs, and nothing else."""

import shutil
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from medunet.bundle import Bundle, ForeignBundle, locate_bundle, open_any_bundle, take_recipe
from medunet.deploy.image import BASE, PROGRAM, write_dockerfile
from medunet.deploy.manifests import About, ModelsForm, describe_application, describe_package, make_semantic
from medunet.deploy.pins import pin_packages
from medunet.files import check_free, whole_folder
from medunet.records import write_json

LEFT_OUT = shutil.ignore_patterns("work", "shipped", "__pycache__", "*.pyc", ".*")
"""Of a bundle and of medunet: paths and patients of training, and what Python makes itself."""
USUAL_GIB = 4.0
"""Of memory at least: what a CT takes; larger ones stream within what is there."""


class Wishes(NamedTuple):
    """How a container is to be.

    Attributes:
        models: how pkg.json lists the bundle: "array" as the specification, "object" as MONAI Deploy's packager.
        monai_manifest: manifests in /etc/monai, too, for hosts that look there.
        base: image with Python.
    """

    models: ModelsForm = "array"
    monai_manifest: bool = False
    base: str = BASE


AS_SPECIFIED = Wishes()


def write_package(bundle: Path, output: Path, wishes: Wishes = AS_SPECIFIED) -> Path:
    """Write the build folder of a bundle.

    Args:
        bundle: of medunet, or in the conventions of MONAI's zoo.
        output: folder to write.
        wishes: how the container is to be.

    Raises:
        OutputExistsError: the folder exists.
        BundleError: the bundle can't be opened, or its weights are missing or wrong.
        ExtraError: a package that the container needs isn't installed here.
    """
    check_free(output)
    opened = open_any_bundle(locate_bundle(bundle))
    about = _describe(opened)
    requirements = pin_packages()
    with whole_folder(output) as folder:
        package = Path(__file__).parents[1]
        shutil.copytree(package, folder / "app" / "medunet", ignore=LEFT_OUT)
        _copy_metadata(folder / "app")
        for place in (folder / "app" / "__main__.py", folder / "tools"):
            place.write_text(PROGRAM, "utf-8")
        shutil.copytree(opened.folder, folder / "models" / about.name, ignore=LEFT_OUT)
        _copy_docs(opened.folder, folder / "docs")
        write_json(folder / "map" / "app.json", describe_application(about))
        write_json(folder / "map" / "pkg.json", describe_package(about, wishes.models))
        (folder / "app.yaml").write_text(f"bundle: {about.name}\nversion: {about.version}\n", "utf-8")
        (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", "utf-8")
        (folder / ".dockerignore").write_text(".run\n", "utf-8")
        licence = _find_licence(opened.folder)
        text = write_dockerfile(about, licence, monai_manifest=wishes.monai_manifest, base=wishes.base)
        (folder / "Dockerfile").write_text(text, "utf-8")
    return output


def _describe(opened: Bundle | ForeignBundle) -> About:
    recipe, _ = take_recipe(opened)
    described = opened.metadata.description or f"Segments {', '.join(recipe.task.labels.names)}"
    return About(
        name="_".join(opened.name.split()),
        version=make_semantic(opened.metadata.version),
        medunet=metadata.version("medunet"),
        description=" ".join(described.split()),
        gib=max(USUAL_GIB, recipe.peak_gib or 0.0),
        channels=len(recipe.task.channels),
    )


def _find_licence(bundle: Path) -> str:
    """As SPDX names it; "" where the bundle's file isn't that of the Apache License, which bundles of MONAI have."""
    path = bundle / "LICENSE"
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    return "Apache-2.0" if "Apache License" in text and "2.0" in text else ""


def _copy_metadata(target: Path) -> None:
    """What Python knows of the installed medunet, so that it tells its version there, too."""
    found = metadata.distribution("medunet")
    folder = target / f"medunet-{found.version}.dist-info"
    folder.mkdir()
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    (folder / "METADATA").write_text(text, "utf-8")


def _copy_docs(bundle: Path, target: Path) -> None:
    """The bundle's own pages and its licence."""
    target.mkdir()
    for path in [*(bundle / "docs").glob("*.md"), *bundle.glob("LICENSE*")]:
        shutil.copy(path, target / path.name)
