"""Public names are sorted and there; each module has its test file."""

import importlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import medunet
from medunet import errors

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "medunet"
FOLDERS = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not path.name.startswith("__"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names(folder: Path) -> None:
    module = importlib.import_module(".".join(folder.relative_to(ROOT).parts))
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_has_its_test_file(path: Path) -> None:
    place = path.relative_to(PACKAGE)
    assert (ROOT / "tests" / place.parent / f"test_{place.name}").is_file()


def test_public_names_are_there() -> None:
    assert sorted(medunet.__all__) == medunet.__all__
    assert set(medunet.__all__) <= set(dir(medunet))
    assert all(callable(getattr(medunet, name)) for name in medunet.__all__ if name != "__version__")
    with pytest.raises(AttributeError, match="no attribute 'foo'"):
        _ = medunet.foo


def test_every_error_of_the_tree_is_public() -> None:
    tree = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert tree == {name for name in medunet.__all__ if name.endswith("Error")}
    assert medunet.__version__ == metadata.version("medunet")


USER = """
import medunet

reveal_type(medunet.read_volume("x"))
reveal_type(medunet.predict("b", "x")[0].mask)
reveal_type(medunet.init("c", "b", budget_minutes=5))
reveal_type(medunet.__version__)
try:
    medunet.train("b", fold="x")
except medunet.SeriesError as error:
    reveal_type(error.remedy)
medunet.misspelled
"""


# Large packages of others, in which a user's check finds nothing that matters here.
SKIP = "[mypy]\n[mypy-torch.*,monai.*,ignite.*,scipy.*,nibabel.*,pydicom.*,PIL.*]\nfollow_imports = skip\n"


def test_types_are_seen_by_who_checks_types(tmp_path: Path) -> None:
    """mypy follows the imports of a user's file into the package; nothing of it is Any."""
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "mypy.ini").write_text(SKIP)
    options = ["--strict", "--follow-imports=silent", "--ignore-missing-imports", f"--cache-dir={os.devnull}"]
    command = [sys.executable, "-m", "mypy", *options, "user.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    said = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    revealed = [line.split('"')[1] for line in said if "Revealed type" in line]
    assert revealed == [
        "medunet.reading.volume.Volume",
        "medunet.labels.Mask",
        "medunet.planning.plan.Plan",
        "str",
        "str",
    ], done.stdout + done.stderr
    assert any("has incompatible type" in line and "fold" in line for line in said)
    assert any('no attribute "misspelled"' in line for line in said)
