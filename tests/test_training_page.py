from dataclasses import replace
from pathlib import Path

import pytest
from plans import make_tiny_bundle, pin_schedule

from medunet import api
from medunet.training import TrainingSession, ValidatedCase, train_bundle, watching
from medunet.training_page import TrainingPage


def test_training_writes_the_page_of_its_held_out_cases(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "abcd")
    pin_schedule(bundle, epochs=2, steps_per_epoch=2)
    api.train(bundle, budget_minutes=1)
    page = (bundle / "work" / "fold0" / "report.html").read_text()
    for said in ("training, fold 0", "<h2>Training</h2>", 'id="viewer"', "as of the last validation"):
        assert said in page
    assert not list((bundle / "work" / "fold0").glob("*.part*"))


def test_folds_share_a_page_and_pages_take_little_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "abcd")
    pin_schedule(bundle, epochs=2, steps_per_epoch=2)
    kept: list[tuple[TrainingSession, tuple[ValidatedCase, ...]]] = []
    with watching(lambda *found: kept.append(found)):
        train_bundle(bundle, fold=0, budget_minutes=1, restart=False)
    session, cases = kept[-1]
    assert all(item.truth.any() and item.truth.shape == item.predicted.shape for item in cases)
    perfect = tuple(replace(item, predicted=item.truth) for item in cases)
    path = tmp_path / "training.html"
    page = TrainingPage(path)
    page(session, perfect)
    first = path.read_text()
    assert "1.000" in first
    page(session, cases)
    assert path.read_text() == first  # too soon after the first
    monkeypatch.setattr("medunet.training_page.SHARE", 1e9)
    renamed = tuple(replace(item, case=replace(item.case, id=f"{item.case.id}b")) for item in cases)
    other = replace(session, fold=1)
    page(other, renamed)
    both = path.read_text()
    assert "folds 0, 1" in both
    assert f"{cases[0].case.id}b" in both
    broken = TrainingPage(tmp_path)
    broken(session, cases)
    broken(session, cases)
    assert caplog.text.count("the page of the training can't be written") == 1
