from pathlib import Path

import pytest

from medunet.cohort import Cohort, find_cohort, pack_series
from medunet.errors import InputError
from medunet.measuring import worker
from medunet.measuring.measures import Measured, measure_case
from medunet.measuring.store import Store, read_entry, stamp_case


def make_job(cohort: Cohort, folder: Path) -> dict[str, object]:
    alone = cohort.model_copy(update={"cases": cohort.cases[:1]})
    series = pack_series(cohort.cases[0])
    return {"cohort": alone.model_dump(mode="json"), "series": series, "store": str(folder)}


def test_a_case_is_measured_into_the_store_once(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = find_cohort(cohort_folder)
    record, content = worker.answer(make_job(cohort, tmp_path), b"")
    assert record["peak"] > 2**20
    assert content == b""
    entry = Store(tmp_path).find(stamp_case(cohort, cohort.cases[0]))
    assert entry is not None
    assert read_entry(entry).measure == measure_case(cohort, cohort.cases[0]).measure
    for key in tmp_path.glob("*.key"):
        key.unlink()
    monkeypatch.setattr(worker, "measure_case", None)  # which the content makes needless
    assert "peak" in worker.answer(make_job(cohort, tmp_path), b"")[0]
    assert Store(tmp_path).find(stamp_case(cohort, cohort.cases[0])) == entry


def test_errors_and_failures_are_told(cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = find_cohort(cohort_folder)
    bare = cohort.model_copy(update={"cases": (cohort.cases[0].model_copy(update={"label": None}),)})
    record, _ = worker.answer(make_job(bare, tmp_path), b"")
    assert record["error"][:3] == [
        "LabelError",
        f"case {cohort.cases[0].id}",
        "it has no label",
    ]
    monkeypatch.setattr(worker, "measure_case", None)
    record, _ = worker.answer(make_job(cohort, tmp_path), b"")
    assert "TypeError" in record["failure"]


def test_files_that_change_while_they_are_read_make_no_entry(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = find_cohort(cohort_folder)

    def read_slowly(cohort: Cohort, case: object) -> Measured:
        label = cohort.cases[0].label
        assert label is not None
        Path(label.path).touch()
        return measure_case(cohort, cohort.cases[0])

    monkeypatch.setattr(worker, "measure_case", read_slowly)
    with pytest.raises(InputError, match="changed while they were read"):
        worker.put_case(cohort, cohort.cases[0], Store(tmp_path))
    assert not list(tmp_path.iterdir())
