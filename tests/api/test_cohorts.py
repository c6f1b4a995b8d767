from pathlib import Path

import pytest

import medunet
from medunet.errors import OutputExistsError


def test_check_tells_errors_first(cohort_folder: Path) -> None:
    findings = medunet.check(cohort_folder)
    ranks = [("error", "warning", "note").index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks)


def test_a_cohort_is_planned_without_a_bundle(cohort_folder: Path, tmp_path: Path) -> None:
    before = sorted(cohort_folder.rglob("*"))
    planned = medunet.plan(cohort_folder, budget_minutes=0.5)
    assert planned.training.budget_minutes == 0.5
    assert planned.reasons
    assert sorted(cohort_folder.rglob("*")) == before


def test_a_folder_that_exists_is_neither_made_a_bundle_nor_a_cohort(cohort_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(OutputExistsError):
        medunet.export_cohort(cohort_folder, tmp_path, "nnunet")
    with pytest.raises(OutputExistsError):
        medunet.init(cohort_folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
