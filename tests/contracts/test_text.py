"""Nothing in the repository names a place on somebody's machine, or is left for later."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = re.compile(r"(?<![\w.])/(?:work|home|root|Users|mnt)/")
LINK = re.compile(r"\]\(([^)]+)\)|(?:src|href)=[\"']([^\"']+)")
LATER = re.compile("TO" + "DO|FIX" + "ME|X" + "XX")


def test_no_absolute_paths_and_nothing_left_for_later() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".json", ".txt", "") and path.is_file() and path != Path(__file__):
            text = path.read_text(encoding="utf-8")
            assert not PLACES.search(text), name
            assert not LATER.search(text), name


def test_what_a_package_index_shows_has_no_link_into_the_repository() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    shown = (ROOT / project["readme"]).read_text(encoding="utf-8")
    links = [first or second for first, second in LINK.findall(shown)]
    assert not [link for link in links if not link.startswith(("https://", "#"))]
    assert LINK.search((ROOT / "README.md").read_text(encoding="utf-8"))
