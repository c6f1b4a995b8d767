"""A small cohort of phantoms, and bundles made from it, for all tests."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from counting import Counts
from plans import pin_schedule

import medunet
from medunet.testing.phantoms import PhantomSize, draw_cohort, write_patient

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
SIZE = PhantomSize((48, 40, 20), (7.0, 7.0, 10.0))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests measure out of the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six patients as DICOM with RTSTRUCT; one has no lesion, one is oblique; lesions shine, for quick learning."""
    folder = tmp_path_factory.mktemp("cohort") / "patients"
    for phantom in draw_cohort(6, SIZE, seed=40):
        shining = np.where(phantom.lesion > 0, 700 + phantom.voxels, phantom.voxels).astype(np.int16)
        write_patient(replace(phantom, voxels=shining), folder / phantom.patient_id)
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
    """A bundle that was trained for 100 steps, so that it finds something; don't change it."""
    bundle = tmp_path_factory.mktemp("trained") / "bundle"
    shutil.copytree(_untrained, bundle)
    pin_schedule(bundle, epochs=5, steps_per_epoch=20)
    medunet.train(bundle)
    return bundle


@pytest.fixture
def untrained(_untrained: Path, tmp_path: Path) -> Path:
    """A bundle without weights, a copy for each test."""
    return Path(shutil.copytree(_untrained, tmp_path / "bundle"))


def unpack(name: str, folder: Path) -> Path:
    if not SHARED.is_dir():
        pytest.skip("the real scans aren't beside the checkout")
    subprocess.run(["bash", SHARED / "unpack.sh", folder, name], check=True)
    return folder / name


@pytest.fixture(scope="session")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real PET/CT and MR of sarcomas with contours; don't change it."""
    return unpack("sts", tmp_path_factory.mktemp("sts"))


@pytest.fixture(scope="session")
def hippocampus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real MR of the hippocampus as a Decathlon folder; don't change it."""
    return unpack("hippocampus", tmp_path_factory.mktemp("hippocampus"))


@pytest.fixture(scope="session")
def nuclei(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real microscopy of nuclei with a number for each; don't change it."""
    return unpack("nuclei", tmp_path_factory.mktemp("nuclei"))


@pytest.fixture(scope="session")
def pet_seg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real whole-body PET in Bq/ml with a DICOM SEG of it; don't change it."""
    return unpack("pet_seg", tmp_path_factory.mktemp("pet_seg"))


@pytest.fixture
def counts(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Counts:
    """Counts parses of headers and hashes of files while the test runs."""
    return Counts(tmp_path_factory.mktemp("counts"), monkeypatch)
