from pathlib import Path

import pytest
import torch
from gpu_steps import STEPS, Setup, describe_machine, write_cohort

from medunet.networks import choose_device


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path, (24, 20, 10), (14.0, 14.0, 20.0), 2, 0.05, 16.0, "eager")


def test_what_a_step_needs_comes_before_it_and_all_fit_the_time() -> None:
    seen: list[str] = []
    for name, step in STEPS.items():
        assert set(step.needs) <= set(seen), name
        seen.append(name)
    assert sum(step.seconds for step in STEPS.values()) < 20 * 60


def test_the_machine_is_described(setup: Setup) -> None:
    facts = describe_machine(setup)
    assert facts["torch"] == torch.__version__
    assert (facts["device"] == "cpu") == (choose_device().type == "cpu")
    assert facts["cores"] >= 1


def test_patients_are_written(setup: Setup) -> None:
    assert write_cohort(setup)["patients"] == 2
    patients = list(setup.cohort.iterdir())
    assert len(patients) == 2
    assert all(len(list(patient.glob("CT/*.dcm"))) > 5 for patient in patients)
