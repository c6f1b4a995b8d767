"""A bundle is exported whole or not at all, after a comparison on windows of its self-test."""

import json
from pathlib import Path

import onnxruntime
import pytest
import torch

from medunet.bundle import find_weights, load_weights, open_bundle
from medunet.errors import InputError, OutputExistsError
from medunet.files import hash_file
from medunet.handover.exports import export_bundle
from medunet.handover.exports import targets as formats
from medunet.networks import build_network

ROOT = Path(__file__).parents[3] / "bundles"
NUCLEI = ROOT / "nuclei_unet2d"


@pytest.mark.slow
def test_onnx_with_what_a_program_must_know(tmp_path: Path) -> None:
    (done,) = export_bundle(NUCLEI, tmp_path / "out", ["onnx"])
    assert {item.name for item in (tmp_path / "out").iterdir()} == {"model.onnx", "model.onnx.json"}
    said = json.loads(done.description.read_text())
    assert said["files"] == {"model.onnx": hash_file(done.file)}
    assert [(one["batch"], one["patch"]) for one in said["compared"]] == [
        *[(1, [256, 256]), (3, [256, 256])],
        *[(1, [288, 224]), (3, [288, 224])],
    ]
    assert done.difference == max(one["difference"] for one in said["compared"]) < 1e-3
    assert said["before"][-2]["_target_"] == "NormalizeIntensityd"
    # With the library that others run it with, and by the names that the JSON gives.
    bundle = open_bundle(NUCLEI)
    network = build_network(bundle.inference["network_def"])
    ((path, wanted),) = find_weights(NUCLEI, bundle.metadata).items()
    load_weights(path, network, wanted)
    session = onnxruntime.InferenceSession(str(done.file), providers=["CPUExecutionProvider"])
    patches = torch.rand(2, 3, 96, 64)
    (logits,) = session.run([said["output"]["name"]], {said["input"]["name"]: patches.numpy()})
    with torch.inference_mode():
        assert torch.allclose(torch.from_numpy(logits), network.eval()(patches), atol=1e-3)
    with pytest.raises(OutputExistsError):
        export_bundle(NUCLEI, tmp_path / "out", ["onnx"])


def test_what_computes_otherwise_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = formats.FORMATS["torchscript"]

    def write_other(network: torch.nn.Module, example: torch.Tensor, path: Path) -> None:
        other = build_network(open_bundle(NUCLEI).inference["network_def"]).eval()
        row.write(other, example, path)

    made = formats.Format(row.name, row.beside, write_other, row.read, row.reader)
    monkeypatch.setitem(formats.FORMATS, "torchscript", made)
    with pytest.raises(InputError, match="off PyTorch's") as caught:
        export_bundle(NUCLEI, tmp_path / "out", ["torchscript"])
    assert caught.value.code == "backend-unfit"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("target", ["torchscript", "torch-export", "onnx", "openvino"])
def test_all_folds_in_one(target: formats.Target, tmp_path: Path) -> None:
    (done,) = export_bundle(ROOT / "sts_petct_unet3d", tmp_path, [target])
    assert len(done.consumer.weights) == 5
    assert done.consumer.window.patch == (56, 56, 40)
    assert max(one.share for one in done.consumer.compared) < 1e-3
