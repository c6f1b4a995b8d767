from pathlib import Path

import pytest

from medunet.bundle import Makers, find_stale, open_bundle, rewrite_bundle
from medunet.errors import BundleError
from medunet.records import read_json, write_json
from medunet.training import CONFIGS


def test_a_bundle_has_the_parts_of_monais_layout_and_no_patient(untrained: Path) -> None:
    bundle = open_bundle(untrained)
    names = ("evaluate", "fingerprint", "inference", "metadata", "multi_gpu_train", "plan", "series", "train")
    assert sorted(path.name for path in (untrained / "configs").iterdir()) == [f"{name}.json" for name in names]
    for place in ("LICENSE", "docs/README.md"):
        assert (untrained / place).is_file()
    assert bundle.preprocessing[0]["_target_"] == "LoadImaged"
    shared = "".join(path.read_text() for path in untrained.glob("*/*") if path.parent.name in ("configs", "docs"))
    assert len(bundle.cohort().cases) == 6
    for case in bundle.cohort().cases:
        assert case.patient not in shared
    assert str(untrained.parent) not in shared


def test_a_key_that_is_missing_is_named(untrained: Path) -> None:
    path = untrained / "configs" / "inference.json"
    write_json(path, {key: value for key, value in read_json(path).items() if key != "inferer"})
    with pytest.raises(BundleError, match="the key 'inferer' is missing"):
        open_bundle(untrained)


def test_a_bundle_without_its_cohort_says_so(untrained: Path) -> None:
    (untrained / "work" / "cohort.json").unlink()
    with pytest.raises(BundleError, match="without its training cohort"):
        open_bundle(untrained).cohort()


def test_a_bundle_that_is_not_trained_takes_another_plan(untrained: Path) -> None:
    bundle = open_bundle(untrained)
    changed = bundle.plan.change(training={"batch": 3}, reasons={"batch": "three is enough"})
    rewritten = rewrite_bundle(bundle, changed, CONFIGS)
    assert rewritten.plan == changed
    assert find_stale(rewritten, CONFIGS) == []
    assert read_json(untrained / "configs" / "train.json")["train"]["dataset"]["batch"] == 3
    assert "three is enough" in (untrained / "docs" / "README.md").read_text()
    assert rewritten.metadata.name == bundle.metadata.name == "bundle"
    assert open_bundle(untrained).plan == changed


def test_further_configurations_are_those_that_are_handed_in(untrained: Path) -> None:
    further: Makers = {"batch.json": lambda plan: {"batch": plan.training.batch, "patch": plan.window.patch}}
    bundle = open_bundle(untrained)
    assert find_stale(bundle, further) == []
    rewritten = rewrite_bundle(bundle, bundle.plan, further)
    path = untrained / "configs" / "batch.json"
    assert read_json(path) == {"batch": bundle.plan.training.batch, "patch": list(bundle.plan.window.patch)}
    assert find_stale(rewritten, further) == []
    write_json(path, {"batch": 0})
    assert find_stale(rewritten, further) == ["batch.json"]
    assert find_stale(rewritten, CONFIGS) == []


def test_configurations_that_were_edited_are_found_and_those_that_are_missing_are_not(untrained: Path) -> None:
    path = untrained / "configs" / "train.json"
    write_json(path, read_json(path) | {"budget": 1.5})
    assert find_stale(open_bundle(untrained), CONFIGS) == ["train.json"]
    path.unlink()
    assert find_stale(open_bundle(untrained), CONFIGS) == []
