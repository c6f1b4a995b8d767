from pathlib import Path

import pytest

from medunet.bundle import open_bundle
from medunet.errors import BundleError
from medunet.records import read_json, write_json


def test_a_bundle_has_the_parts_of_monais_layout_and_no_patient(untrained: Path) -> None:
    bundle = open_bundle(untrained)
    names = ("evaluate", "fingerprint", "inference", "metadata", "multi_gpu_train", "plan", "train")
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
