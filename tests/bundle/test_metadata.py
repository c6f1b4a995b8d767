from pathlib import Path

import pytest
from plans import make_test_plan

from medunet.bundle import Metadata, TrainingFacts, make_metadata
from medunet.bundle.metadata import SCHEMA
from medunet.errors import RecordError
from medunet.records import read_json, read_record, write_json

SHIPPED = sorted((Path(__file__).parents[2] / "bundles").iterdir())

REQUIRED = ("version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task")
REQUIRED += ("description", "authors", "copyright", "network_data_format")


def test_what_the_schema_requires_is_there() -> None:
    metadata = make_metadata(make_test_plan(channels=("ct", "pet")), "b")
    assert metadata.to_json()["schema"] == metadata.schema_ == SCHEMA
    assert all(metadata.to_json()[key] for key in REQUIRED)
    inputs = metadata.network_data_format["inputs"]["image"]
    outputs = metadata.network_data_format["outputs"]["pred"]
    assert inputs["num_channels"] == len(inputs["channel_def"]) == 2
    assert outputs["channel_def"] == {"0": "background", "1": "lesion"}
    assert "medunet" not in metadata.required_packages_version
    assert metadata.segments["1"].label == "lesion"
    kind = metadata.to_json()["segments"]["1"]["type"]
    assert kind == {"scheme": "SCT", "value": "52988006", "meaning": "Lesion"}


def test_components_of_pictures_are_inputs_and_pillow_reads_them() -> None:
    plan = make_test_plan(dims=2, channels=("mr",)).change(task={"unit": "px", "components": {"mr": 3}})
    metadata = make_metadata(plan, "b")
    inputs = metadata.network_data_format["inputs"]["image"]
    assert inputs["num_channels"] == len(inputs["channel_def"]) == 3
    assert "pillow" in metadata.required_packages_version


def test_inputs_say_their_units() -> None:
    plan = make_test_plan(channels=("ct", "pet")).change(task={"units": {"pet": "SUVbw"}})
    inputs = make_metadata(plan, "b").network_data_format["inputs"]["image"]
    assert inputs["channel_def"] == {"0": "CT", "1": "PT in SUVbw"}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_comes_back_as_it_is(folder: Path) -> None:
    path = folder / "configs" / "metadata.json"
    assert read_record(path, Metadata).to_json() == read_json(path)


def test_keys_that_nobody_knows_are_kept(tmp_path: Path) -> None:
    content = make_metadata(make_test_plan(), "b").to_json() | {"lab": {"room": 3}, "training": {"fold": 0, "gpu": "x"}}
    write_json(tmp_path / "metadata.json", content)
    metadata = read_record(tmp_path / "metadata.json", Metadata)
    assert metadata.to_json() == content
    assert metadata.training is not None
    assert metadata.training.fold == 0


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("weights_sha256", "abc", "'weights_sha256'"),
        ("weights_sha256", 5, "'weights_sha256'"),
        ("fold_weights", {"model_fold0.pt": "abc"}, r"'fold_weights\.model_fold0\.pt'"),
        ("fold_weights", ["model_fold0.pt"], "'fold_weights'"),
        ("training", {"fold": "first"}, r"'training\.fold"),
        ("training", {"epochs": 3}, r"'training\.fold': field required"),
        ("training", {"fold": 0, "minutes": "long"}, r"'training\.minutes'"),
        ("segments", {"1": {"label": "lesion"}}, r"'segments\.1\.category': field required"),
        ("version", 3, "'version'"),
        ("name", ["b"], "'name'"),
    ],
)
def test_a_known_key_of_the_wrong_kind_is_named(tmp_path: Path, key: str, value: object, named: str) -> None:
    content = make_metadata(make_test_plan(), "b").to_json() | {key: value}
    write_json(tmp_path / "metadata.json", content)
    with pytest.raises(RecordError, match=rf"metadata\.json: the key {named}"):
        read_record(tmp_path / "metadata.json", Metadata)


def test_steps_of_all_folds_are_counted_together() -> None:
    assert TrainingFacts(fold=1, steps=30).count_steps() == 30
    assert TrainingFacts(fold="all", steps=(30, 12)).count_steps() == 42


def test_what_finds_parts_is_required_where_parts_are_left_out() -> None:
    plan = make_test_plan()
    assert "scikit-image" not in make_metadata(plan, "b").required_packages_version
    assert "scikit-image" in make_metadata(plan.change(decision={"smallest": 0.1}), "b").required_packages_version


def test_weights_are_named_of_one_network_and_of_folds() -> None:
    assert Metadata().weight_hashes == {"model.pt": ""}
    assert Metadata(weights_sha256="a" * 64).weight_hashes == {"model.pt": "a" * 64}
    folds = {"model_fold0.pt": "b" * 64, "model_fold1.pt": "c" * 64}
    assert Metadata(weights_sha256="a" * 64, fold_weights=folds).weight_hashes == folds
