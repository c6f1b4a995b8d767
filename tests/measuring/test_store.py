import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from medunet.cohort import Cohort, find_cohort
from medunet.findings import Note, make_finding
from medunet.measuring.measures import Measured, measure_case
from medunet.measuring.store import Store, find_cache, hash_case, open_store, read_entry, stamp_case, write_entry


@pytest.fixture(scope="module")
def cohort(cohort_folder: Path) -> Cohort:
    return find_cohort(cohort_folder)


@pytest.fixture(scope="module")
def measured(cohort: Cohort) -> Measured:
    return measure_case(cohort, cohort.cases[0])


def test_an_entry_comes_back_as_it_was(measured: Measured, tmp_path: Path) -> None:
    finding = make_finding("label-grid", "a.dcm", "it is off", severity="warning")
    image = measured.facts.images["ct"]
    noted = replace(image, source=replace(image.source, notes=(Note("slice-copied", "b is a copy of a"),)))
    facts = replace(measured.facts, images={"ct": noted})
    measured = replace(measured, facts=facts, said=((20, "medunet", "hello"), finding))
    write_entry(tmp_path / "a.npz", measured)
    back = read_entry(tmp_path / "a.npz")
    assert (back.measure, back.said) == (measured.measure, measured.said)
    assert (back.facts.labels, back.facts.margins) == (measured.facts.labels, measured.facts.margins)
    assert np.array_equal(back.samples["ct"], measured.samples["ct"])
    assert back.samples["ct"].dtype == np.float32
    ours, other = back.facts.images["ct"], measured.facts.images["ct"]
    for field in fields(ours):
        assert np.array_equal(getattr(ours, field.name), getattr(other, field.name)), field.name


def test_a_changed_file_is_noticed_whatever_its_size_and_date(cohort: Cohort, tmp_path: Path) -> None:
    case = cohort.cases[0]
    assert case.label is not None
    copy = tmp_path / "label"
    copy.write_bytes(Path(case.label.path).read_bytes())
    moved = case.model_copy(update={"label": case.label.model_copy(update={"path": str(copy)})})
    stamp, content = stamp_case(cohort, moved), hash_case(cohort, moved)
    assert (stamp_case(cohort, moved), hash_case(cohort, moved)) == (stamp, content)
    dates = copy.stat()
    changed = bytearray(copy.read_bytes())
    changed[-1] ^= 1
    copy.write_bytes(changed)
    os.utime(copy, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert stamp_case(cohort, moved) != stamp
    assert hash_case(cohort, moved) != content
    changed[-1] ^= 1
    copy.write_bytes(changed)
    assert stamp_case(cohort, moved) != stamp
    assert hash_case(cohort, moved) == content


def test_how_a_case_is_read_is_part_of_what_it_is(cohort: Cohort) -> None:
    case = cohort.cases[0]
    shifted = case.channels["ct"].model_copy(update={"assume_rescale": (1.0, 0.0)})
    other = case.model_copy(update={"channels": {"ct": shifted}})
    assert hash_case(cohort, other) != hash_case(cohort, case)
    assert stamp_case(cohort, other) != stamp_case(cohort, case)


def test_the_least_used_entries_go_first_and_those_in_use_never(measured: Measured, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for age, name in enumerate(("new", "old", "older")):
        write_entry(store.name(name), measured)
        store.link(f"stamp-{name}", name)
        os.utime(store.name(name), (1e9 - age, 1e9 - age))
    size = store.name("new").stat().st_size
    store.prune(set(), 2 * size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.npz", "old.npz", "stamp-new.key", "stamp-old.key"]
    assert store.find("stamp-older") is None
    assert store.find("stamp-old") == store.name("old")  # and counts as used now
    store.prune(set(), size)
    assert store.find("stamp-old") is not None
    store.prune({store.name("old")}, 0)
    assert store.find("stamp-old") is not None


def test_the_store_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")
    assert find_cache() == tmp_path / "cache" / "medunet"
    with open_store() as store:
        assert store.folder == tmp_path / "cache" / "medunet" / "measures"
        assert store.folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_cache() == tmp_path / ".cache" / "medunet"
    monkeypatch.setattr("sys.platform", "darwin")
    assert find_cache() == tmp_path / "Library" / "Caches" / "medunet"


def test_where_nothing_can_be_kept_measuring_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (tmp_path / "file").touch()
    with open_store(tmp_path / "file" / "below") as store:
        assert store.folder.is_dir()
    assert not store.folder.exists()
    assert "isn't kept" in caplog.text
