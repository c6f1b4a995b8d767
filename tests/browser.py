"""Debian's Chromium by Playwright: pages are opened from disk, and whatever they ask for or complain of is kept."""

import atexit
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).parents[1] / ".venv-browser/lib/python3.11/site-packages"
"""Playwright, and ipyniivue, whose widget a page can inline."""
CHROMIUM = shutil.which("chromium")
SOFTWARE = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""WebGL without a graphics card."""
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt install chromium")


@dataclass(frozen=True)
class Opened:
    """A page as Playwright gives it, with what it asked for and complained of."""

    page: Any
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def read(self) -> dict[str, Any]:
        """What the viewer says of the place that it shows."""
        return self.page.evaluate("document.getElementById('viewer').viewer.read()")

    def go_to(self, mm: list[float]) -> None:
        self.page.evaluate("mm => document.getElementById('viewer').viewer.place(mm)", mm)

    def wait_for_viewer(self) -> str:
        """Which viewer it became."""
        self.page.wait_for_selector("#viewer[data-state=ready]", timeout=60_000)
        return self.page.get_attribute("#viewer", "data-renderer")


@cache
def launch(options: tuple[str, ...]) -> Any:
    """A browser for all tests of a process."""
    sys.path.append(str(TOOLS))
    try:
        sync_api = pytest.importorskip("playwright.sync_api", reason="make browser brings Playwright")
    finally:
        sys.path.remove(str(TOOLS))
    return start(sync_api).chromium.launch(executable_path=CHROMIUM, args=[*SOFTWARE, *options])


@cache
def start(sync_api: ModuleType) -> Any:
    playwright = sync_api.sync_playwright().start()
    atexit.register(playwright.stop)
    return playwright


@contextmanager
def open_page(path: Path, *options: str, **context: Any) -> Iterator[Opened]:
    """Open a file; its complaints and requests are kept, beside that for the file itself."""
    made = launch(options).new_context(**context)
    page = made.new_page()
    opened = Opened(page)
    page.on("console", lambda said: said.type in ("error", "warning") and opened.complaints.append(said.text))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on("request", lambda request: opened.asked.append(request.url))
    page.goto(path.as_uri())
    yield opened
    made.close()
