"""Files, metadata and keys that MONAI's schema and the zoo's checks want; compared with the schema itself."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from zoo import write_zoo_bundle

from medunet.findings import Finding
from medunet.handover.files import META_KEYS, TENSOR_KEYS, check_files
from medunet.records import read_json, write_json

SHIPPED = sorted((Path(__file__).parents[2] / "bundles").iterdir())
SCHEMA = read_json(Path(__file__).parents[1] / "bundle" / "meta_schema_20240725.json")


def look(folder: Path) -> list[Finding]:
    return [item for item in check_files(folder) if item.severity != "note"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED[0], tmp_path / "b"))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_has_all(folder: Path) -> None:
    assert look(folder) == []


@pytest.mark.parametrize("key", META_KEYS)
def test_a_key_that_the_schema_misses_is_named(bundle: Path, key: str) -> None:
    path = bundle / "configs" / "metadata.json"
    content = read_json(path)
    del content[key]
    write_json(path, content)
    assert any(f"'{key}" in item.found for item in look(bundle))
    if key in SCHEMA["required"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content, SCHEMA)


@pytest.mark.parametrize("key", TENSOR_KEYS)
def test_so_is_one_of_a_tensor_and_what_is_of_the_wrong_kind(bundle: Path, key: str) -> None:
    path = bundle / "configs" / "metadata.json"
    content = read_json(path)
    content["network_data_format"]["inputs"]["image"][key] = {}
    del content["network_data_format"]["outputs"]["pred"][key]
    write_json(path, content)
    said = [item.found for item in look(bundle)]
    assert any(f"outputs::pred::{key}' of MONAI's schema is missing" in text for text in said)
    assert any(f"inputs::image::{key}' is {{}}" in text for text in said)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, SCHEMA)


def test_what_the_zoo_checks_beside_the_schema(bundle: Path) -> None:
    path = bundle / "configs" / "metadata.json"
    content = read_json(path) | {"version": "9.9.9"}
    content["network_data_format"]["outputs"]["pred"]["channel_def"] = {"0": "background"}
    write_json(path, content)
    (bundle / "LICENSE").write_text(" ")
    assert {item.code for item in look(bundle)} == {"bundle-schema", "bundle-incomplete"}
    said = " ".join(item.found for item in look(bundle))
    assert "'9.9.9' isn't in its changelog" in said
    assert "has 3 channels and names 1" in said
    assert "no licence" in said


def test_a_bundle_of_the_zoo_with_keys_missing(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b")
    path = folder / "configs" / "inference.json"
    content = json.loads(path.read_text())
    del content["evaluator"]
    path.write_text(json.dumps(content))
    assert any("'evaluator'" in item.found for item in look(folder))
    path.unlink()
    (folder / "configs" / "metadata.json").write_text("[]")
    assert any("it holds no keys" in item.found for item in look(folder))


def test_large_files_are_for_large_files(bundle: Path) -> None:
    with (bundle / "models" / "model.ts").open("wb") as stream:
        stream.truncate(26_000_000)
    assert [item.found for item in look(bundle)] == ["it holds 26 MB, and the zoo takes 25"]
