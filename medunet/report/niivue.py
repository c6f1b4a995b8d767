"""niivue for the viewer of a page, taken from the package ipyniivue where that is installed.

Its widget is one file of JavaScript with niivue in it, whose classes it doesn't hand out: the one whose instances its
widget makes is found by the words that it says then, and handed out under a name of our own.
"""

import base64
import gzip
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from medunet.findings import warn

PACKAGE, NAME = "ipyniivue", "MedunetNiivue"
MADE = re.compile(r'"Creating new Niivue instance".{0,300}?=\s*new ([A-Za-z_$][\w$]*)\(', re.DOTALL)
"""What the widget does when it makes the first one; minified names differ from version to version."""
METHODS = ("attachToCanvas", "loadFromArrayBuffer", "setSliceType", "setMultiplanarLayout", "updateGLVolume")
"""What the viewer calls; a version without one of them isn't taken."""


class Niivue(NamedTuple):
    """What a page inlines."""

    version: str
    """Of the package."""
    licence: str
    """Its licence, which goes with every copy."""
    code: str
    """A module of JavaScript that exports the class as `NAME`, compressed, in base64."""


@cache
def find_niivue() -> Niivue | None:
    """Take niivue from its package; None where that isn't installed, or, with a warning, where it isn't as expected."""
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        return None
    path = Path(str(package.locate_file(f"{PACKAGE}/static/widget.js")))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        text = ""
    code = export_class(text)
    if code is None:
        found = f"version {package.version} of {PACKAGE} isn't as expected, so that pages have the plain viewer"
        warn("viewer-plain", PACKAGE, found, "install another one: pip install 'medunet[viewer]'")
        return None
    held = [file for file in package.files or [] if file.name.upper().startswith("LICEN")]
    licence = "\n".join(Path(file.locate()).read_text(encoding="utf-8") for file in held)
    packed = gzip.compress(code.encode("utf-8"), 9, mtime=0)
    return Niivue(package.version, licence, base64.b64encode(packed).decode("ascii"))


def export_class(text: str) -> str | None:
    """The widget's module with the class handed out; None where it can't be found or lacks what the viewer calls."""
    names = set(MADE.findall(text))
    if len(names) != 1 or not all(f"{name}(" in text for name in METHODS):
        return None
    return f"{text}\nexport {{{names.pop()} as {NAME}}};\n"
