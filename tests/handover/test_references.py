"""References and overrides that point at nothing are found, and those that point at something are not."""

import json
from pathlib import Path
from typing import Any

import pytest
from zoo import write_zoo_bundle

from medunet.handover.references import check_references, follow

SHIPPED = sorted((Path(__file__).parents[2] / "bundles").iterdir())


def look(folder: Path, **configs: Any) -> list[str]:
    for name, content in configs.items():
        (folder / "configs" / f"{name}.json").write_text(json.dumps(content))
    assert all(item.code == "bundle-reference" for item in check_references(folder))
    return [f"{item.found}; {item.remedy}" for item in check_references(folder)]


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_has_none(folder: Path) -> None:
    assert look(folder) == []


def test_one_of_the_zoo_has_none_and_a_misspelled_one_is_named(tmp_path: Path) -> None:
    assert look(write_zoo_bundle(tmp_path / "b")) == []
    folder = write_zoo_bundle(tmp_path / "c", handlers=[{"_target_": "ValidationHandler", "validator": "@evaluatr"}])
    (said,) = look(folder)
    assert said == "'handlers::0::validator' refers to 'evaluatr', which isn't there; did you mean 'evaluator'?"


def test_rules_for_series_are_no_configuration(trained: Path) -> None:
    assert (trained / "configs" / "series.json").is_file()
    assert look(trained) == []


def test_keys_that_are_nearly_those_that_run(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b", initialise=["$print(1)"])
    assert look(folder) == ["nothing refers to 'initialise', and MONAI doesn't run it; did you mean 'initialize'?"]


TRAIN = {
    "epochs": 3,
    "train": {"trainer": {"_target_": "SupervisedTrainer", "max_epochs": "@epochs"}, "handlers": "@h"},
    "h": [{"_target_": "StatsHandler"}],
    "run": ["$@train#trainer.run()"],
}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"epochs": 1}, None),
        ({"train#trainer#max_epochs": 1}, None),
        ({"train#trainer#amp": True}, None),
        ({"train#handlers#0#tag": "x"}, None),
        ({"extra": 1, "run": ["$print(@extra)"]}, None),
        ({"epoch": 1}, "it overrides 'epoch', which train.json doesn't have; did you mean 'epochs'?"),
        ({"train#trainr#max_epochs": 1}, "it overrides 'train#trainr#max_epochs', which train.json doesn't have"),
        ({"epochs": "@epoch"}, "'epochs' refers to 'epoch', which isn't there; did you mean 'epochs'?"),
    ],
)
def test_overrides(tmp_path: Path, override: dict[str, Any], said: str | None) -> None:
    folder = write_zoo_bundle(tmp_path / "b")
    found = look(folder, train=TRAIN, multi_gpu_train=override)
    assert (found == []) if said is None else (len(found) == 1 and found[0].startswith(said))


def test_paths_are_followed_through_references() -> None:
    config = {"a": "@b#c", "b": {"c": [{"d": None}]}, "x": "@y", "y": "@x", "z": "$f()"}
    assert follow(config, ["a", "0", "d"]) is not None
    assert follow(config, ["a", "1"]) is None
    assert follow(config, ["x", "q"]) is None
    assert follow(config, ["z", "anything"]) is not None
    assert follow({"a": "@a#b"}, ["a", "b", "c"]) is None


def test_macros_and_expressions_with_several_references(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b", a="%network_de", b="%other.json#x", c="$@device if @dev else 1")
    assert [said.partition(",")[0] for said in look(folder)] == ["'a' refers to 'network_de'", "'c' refers to 'dev'"]
