"""Where the weights of a bundle from elsewhere lie."""

from pathlib import Path
from typing import Any

import pytest

from medunet.bundle.foreign_weights import find_foreign_weights
from medunet.bundle.literals import Literals
from medunet.errors import BundleError


def find(folder: Path, **config: Any) -> tuple[Path, str]:
    return find_foreign_weights(Literals(config), folder, folder / "configs" / "inference.json")


def load(path: Any, **entries: str) -> dict[str, Any]:
    return {"_target_": "CheckpointLoader", "load_path": path, "load_dict": entries or {"model": "@network"}}


def test_the_file_of_the_network_is_found(tmp_path: Path) -> None:
    for name in ("models/model.pt", "best.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find(tmp_path) == (tmp_path / "models" / "model.pt", "model")
    assert find(tmp_path, a=load("best.pt", net="@network")) == (tmp_path / "best.pt", "net")
    assert find(tmp_path, name="best", a=load("$@name + '.pt'"))[0].name == "best.pt"
    assert find(tmp_path, a=load(str(tmp_path / "best.pt")))[0] == tmp_path / "best.pt"
    assert find(tmp_path, a=load("best.pt", trainer="@trainer"))[0].name == "model.pt", "of something else"
    assert find(tmp_path, a=load("$open('x').read()"))[0].name == "model.pt", "nothing that is understood"


def test_several_files_or_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"several files of weights: a\.pt, b\.pt"):
        find(tmp_path, a=load("a.pt"), b=load("b.pt"))
    with pytest.raises(BundleError, match="weights are missing") as caught:
        find(tmp_path)
    assert caught.value.code == "weights-missing"
