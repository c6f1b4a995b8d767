"""Public names are sorted and there; each module has its test file."""

import importlib
from pathlib import Path

import pytest

import medunet

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


def test_public_verbs_are_there() -> None:
    assert sorted(medunet.__all__) == medunet.__all__
    assert all(callable(getattr(medunet, name)) for name in medunet.__all__)
    with pytest.raises(AttributeError, match="no attribute 'foo'"):
        _ = medunet.foo
