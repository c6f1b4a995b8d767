"""The packages that a container needs, each at the version with which medunet runs here."""

from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from medunet.errors import ExtraError

NEEDED = ("dicom", "openvino")
"""Extras of medunet that every container has."""


def pin_packages(extras: tuple[str, ...] = NEEDED) -> list[str]:
    """Lines `name==version` of all that medunet needs with some extras, and of what that needs.

    The version says which build of torch it is (`+cpu`): an index without it ends the build of the image, instead of
    bringing gigabytes for a GPU.

    Raises:
        ExtraError: a package isn't installed here, so that nobody knows a version that works.
    """
    found: dict[str, str] = {}
    waiting = [(Requirement("medunet"), frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, wanted = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            installed = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            remedy = f"install it with: pip install 'medunet[{','.join(extras)}]'"
            raise ExtraError("medunet package", f"it needs {requirement}, which isn't installed", remedy) from None
        if name != "medunet":
            found[name] = f"{installed.name}=={installed.version}"
        for line in installed.requires or ():
            inner = Requirement(line)
            choices = wanted or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in choices):
                waiting.append((inner, frozenset(inner.extras)))
    return [found[name] for name in sorted(found)]
