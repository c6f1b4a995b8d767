from pathlib import Path

import pytest

from medunet.findings import listening
from medunet.inference import Computing
from medunet.inference.computing import PLAIN, describe_computed, list_backends
from medunet.inference.measured import FILE, FastRecord, FastRecords, FastScore, tell_cost
from medunet.records import write_record

FAST = Computing("fast", "torch")


def test_what_fast_costs_is_said_where_it_was_measured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (tmp_path / "docs").mkdir()
    computed = describe_computed(list_backends(FAST)[0], FAST)
    record = FastRecord(
        weights=("a", "b"),
        computed=computed,
        cases=7,
        exact_seconds=9.0,
        fast_seconds=3.5,
        labels={"lesion": FastScore(same=0.99, least_same=0.97, exact=0.8, fast=0.79)},
    )
    other = record.model_copy(update={"computed": computed.model_copy(update={"precision": "float8"}), "cases": 9})
    records = FastRecords().add(record.model_copy(update={"weights": ("old",)})).add(other).add(record)
    assert records.measured == (record, other)
    write_record(tmp_path / FILE, records)
    with listening() as heard:
        tell_cost(tmp_path, "it", {"2": "b", "1": "a"}, computed)
        assert "Dice of lesion 0.800 and 0.790, against each other 0.990 (least 0.970)" in caplog.text
        assert "9.0 and 3.5 s a case" in caplog.text
        assert heard == []
        tell_cost(tmp_path, "it", {"1": "c"}, describe_computed(list_backends(PLAIN)[0], PLAIN))
        assert heard == []
        tell_cost(tmp_path, "it", {"1": "c"}, computed)
        tell_cost(tmp_path / "none", "it", {"1": "a"}, computed)
    assert [(note.code, note.severity) for note in heard] == [("preset-unmeasured", "note")] * 2
