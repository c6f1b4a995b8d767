"""A student of the shared bundle."""

from pathlib import Path

import pytest

import medunet


@pytest.fixture(scope="session")
def student(trained: Path, cohort_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, with one unlabelled scan; don't change it."""
    folder = tmp_path_factory.mktemp("student") / "new" / "b"
    scan = sorted(cohort_folder.iterdir())[0]
    size = {"seconds": 60.0, "scan": (48, 40, 24), "spacing": (7.0, 7.0, 8.0)}
    medunet.distill(trained, folder, **size, unlabelled=scan, weight=2.0, budget_minutes=0.1)  # type: ignore[arg-type]
    return folder
