"""Each format is written, read again, and takes other batches and sizes than it was written with."""

from pathlib import Path
from typing import get_args

import onnx
import pytest
import torch
from monai.networks.nets import DynUNet
from torch import nn

from medunet.errors import InputError
from medunet.handover.exports.targets import FORMATS, Target, convert, open_exported
from medunet.networks import MeanNetwork


def make_network(dims: int = 3) -> nn.Module:
    torch.manual_seed(0)
    sizes = [[3] * dims] * 3
    strides = [[1] * dims, [2] * dims, [2] * dims]
    return DynUNet(dims, 2, 3, sizes, strides, strides[1:], filters=[4, 8, 8], norm_name="INSTANCE").eval()


SLOW = ("onnx", "torch-export")


@pytest.mark.parametrize(
    "target", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in get_args(Target)]
)
def test_several_networks_in_one(target: Target, tmp_path: Path) -> None:
    network = MeanNetwork([make_network(), make_network()]).eval()
    for value in network.networks[1].parameters():
        value.data += 0.01
    path = tmp_path / FORMATS[target].name
    convert(target, network, torch.rand(2, 2, 16, 16, 16), path)
    assert {item.name for item in tmp_path.iterdir()} == {path.name, *FORMATS[target].beside}
    run = open_exported(target, path)
    for shape in ((1, 2, 16, 16, 16), (3, 2, 24, 16, 8)):
        patches = torch.rand(shape)
        with torch.inference_mode():
            assert torch.allclose(run(patches), network(patches), atol=1e-4)


def test_onnx_names_what_goes_in_and_which_axes_are_free(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    convert("onnx", make_network(2), torch.rand(2, 2, 16, 16), path)
    graph = onnx.load(str(path)).graph
    assert ([item.name for item in graph.input], [item.name for item in graph.output]) == (["image"], ["logits"])
    axes = graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_value for axis in axes] == [0, 2, 0, 0]
    assert open_exported("onnx", path)(torch.rand(1, 2, 24, 8)).shape == (1, 3, 24, 8)


def test_what_cannot_be_written_or_opened_is_one_sentence(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            raise ValueError("no\nsuch thing")

    with pytest.raises(InputError, match="the network can't be written so") as caught:
        convert("torch-export", Odd(), torch.rand(2, 1, 8, 8), tmp_path / "model.pt2")
    assert caught.value.code == "backend-unfit"
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(InputError, match="what was written can't be opened"):
        open_exported("onnx", tmp_path / "model.onnx")
