"""A small cohort of phantoms, and bundles made from it, for all tests."""

import shutil
from pathlib import Path

import pytest
from phantoms import PhantomSize, make_cohort

import medunet

SIZE = PhantomSize((48, 40, 20), (7.0, 7.0, 10.0))


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six patients as DICOM with RTSTRUCT; one of them has no lesion, one is oblique."""
    folder = tmp_path_factory.mktemp("cohort") / "patients"
    make_cohort(folder, 6, SIZE, seed=40)
    return folder


@pytest.fixture(scope="session")
def patients(cohort_folder: Path) -> list[Path]:
    """Folders of the patients."""
    return sorted(cohort_folder.iterdir())


@pytest.fixture(scope="session")
def _untrained(cohort_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = tmp_path_factory.mktemp("untrained") / "bundle"
    medunet.init(cohort_folder, bundle, budget_minutes=0.5)
    return bundle


@pytest.fixture(scope="session")
def trained(_untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was trained for half a minute; don't change it."""
    bundle = tmp_path_factory.mktemp("trained") / "bundle"
    shutil.copytree(_untrained, bundle)
    medunet.train(bundle)
    return bundle


@pytest.fixture
def untrained(_untrained: Path, tmp_path: Path) -> Path:
    """A bundle without weights, a copy for each test."""
    return Path(shutil.copytree(_untrained, tmp_path / "bundle"))
