"""What a trusted bundle holds beyond data, made by MONAI's parser."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from zoo import ARGMAX, INVERT, SAVE

from medunet.bundle.foreign_parser import PICKLES, Parser, Postprocessing
from medunet.errors import BundleError
from medunet.preparation import instantiate

SIGMOID = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
HALF = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}


def parse(folder: Path, **config: Any) -> Parser:
    return Parser(folder, folder / "configs" / "inference.json", {"image_key": "image", "output_dir": ".", **config})


def speak(func: str) -> dict[str, Any]:
    return {"_target_": "Lambdad", "keys": "pred", "func": func}


def test_entries_are_evaluated_without_a_gpu_where_there_is_none(tmp_path: Path) -> None:
    parser = parse(tmp_path, place="$torch.device('cuda')", path="$@bundle_root + '/a'", device="$1 / 0")
    assert parser.make("place").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert parser.make("path") == f"{tmp_path}/a"
    assert parser.make("device").type == "cpu"


def test_scripts_are_those_of_the_bundle_and_pickles_are_read(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "scripts").mkdir(parents=True)
        (tmp_path / name / "scripts" / "tell.py").write_text(f"def tell():\n    return {name!r}\n")
        torch.save({"name": object()}, tmp_path / name / "odd.pt")
        parser = parse(
            tmp_path / name, said={"_target_": "scripts.tell.tell"}, odd="$torch.load(@bundle_root + '/odd.pt')"
        )
        assert parser.make("said") == name
        assert "name" in parser.make("odd")
    assert PICKLES not in os.environ


def test_what_monai_cannot_evaluate_is_one_sentence(tmp_path: Path) -> None:
    for text in ("$1 / 0", "$nothing", "@nowhere"):
        with pytest.raises(BundleError, match="MONAI can't evaluate 'a'"):
            parse(tmp_path, a=text).make("a")


def test_postprocessing_brings_back_through_the_chain_that_was_run(tmp_path: Path) -> None:
    chain = instantiate([{"_target_": "Flipd", "keys": ["image"], "spatial_axis": 0}])
    steps = [{**INVERT}, ARGMAX, speak("$lambda x: x * 2"), SAVE]
    made = parse(tmp_path, postprocessing={"_target_": "Compose", "transforms": steps}).make_postprocessing(chain)
    assert made.restores
    assert len(made.steps) == 3
    image = chain[0]({"image": MetaTensor(torch.zeros(1, 4, 3, 2))})["image"]
    outputs = torch.zeros(2, 4, 3, 2)
    outputs[1, 0] = 1
    result = made({"image": image, "pred": MetaTensor(outputs)})
    assert (result[0, 3] == 2).all(), "flipped back"
    assert not result[0, :3].any()


def test_values_of_outputs_are_found_by_asking(tmp_path: Path) -> None:
    steps = [SIGMOID, HALF, speak("$lambda x: torch.where(x[[1]] > 0, 4, torch.where(x[[0]] > 0, 2, 0))")]
    made = parse(tmp_path, postprocessing={"transforms": steps}).make_postprocessing([])
    assert made.probe(2, 3) == [2, 4]
    assert made.probe(2, 2) == [2, 4]
    assert not made.restores
    assert Postprocessing(tuple(instantiate([SIGMOID, HALF]))).probe(2, 3) == [], "a channel for each"
    assert made.probe(1, 3) == [], "it fails"
