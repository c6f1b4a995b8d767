from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from medunet.bundle import Recipe, make_recipe, open_bundle
from medunet.errors import ExtraError, InputError
from medunet.findings import listening
from medunet.inference import computing
from medunet.inference.backends import OpenVinoBackend, TorchBackend
from medunet.inference.computing import (
    EXACT,
    PLAIN,
    Computing,
    check_computing,
    describe_computed,
    hasten_recipe,
    list_backends,
    open_backend,
)
from medunet.networks import build_network


@pytest.fixture
def recipe(trained: Path) -> Recipe:
    return make_recipe(open_bundle(trained))


class Odd(nn.Module):
    """Something that OpenVINO can't convert."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(image)[:, :1].expand(-1, self.outputs, -1, -1, -1)


def name_backends(wanted: Computing) -> list[tuple[str, str]]:
    return [(backend.traits.name, backend.traits.precision) for backend in list_backends(wanted)]


FAST = Computing("fast")


def test_openvino_is_taken_on_a_cpu_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computing, "choose_precision", lambda _: torch.float32)
    monkeypatch.setattr(computing, "choose_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(computing, "has_openvino", lambda: True)
    assert name_backends(FAST) == [("openvino", "float32"), ("torch", "float32")]
    assert name_backends(EXACT) == [("openvino", "float32"), ("torch", "float32")]
    assert name_backends(PLAIN) == [("torch", "float32")]
    assert name_backends(Computing(backend="openvino")) == [("openvino", "float32")]
    monkeypatch.setattr(computing, "has_openvino", lambda: False)
    assert name_backends(FAST) == name_backends(EXACT) == [("torch", "float32")]
    assert name_backends(Computing(backend="openvino")) == [("openvino", "float32")]
    monkeypatch.setattr(computing, "has_openvino", lambda: True)
    monkeypatch.setattr(computing, "choose_device", lambda: torch.device("cuda"))
    assert name_backends(FAST) == name_backends(EXACT) == [("torch", "float32")]


@pytest.mark.parametrize(("has", "precision"), [(torch.bfloat16, "bfloat16"), (torch.float32, "float32")])
def test_fast_takes_half_precision_where_the_device_has_it(
    has: torch.dtype, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(computing, "choose_precision", lambda _: has)
    monkeypatch.setattr(computing, "has_openvino", lambda: True)
    fast = Computing("fast")
    assert name_backends(fast) == [("openvino", precision), ("torch", precision)]
    assert name_backends(replace(fast, backend="torch")) == [("torch", precision)]
    assert name_backends(EXACT) == [("openvino", "float32"), ("torch", "float32")]


def test_fast_covers_less_of_a_ct_by_fewer_patches(recipe: Recipe) -> None:
    assert hasten_recipe(recipe, EXACT) is recipe
    fast = hasten_recipe(recipe, Computing("fast"))
    assert (fast.window.overlap, fast.body) == (0.2, True)
    assert fast.window.patch == recipe.window.patch
    narrow = replace(recipe, window=replace(recipe.window, overlap=0.1))
    assert hasten_recipe(narrow, Computing("fast")).window.overlap == 0.1
    mr = recipe.task.model_copy(update={"modalities": {"ct": "MR"}})
    assert not hasten_recipe(replace(recipe, task=mr), Computing("fast")).body


def test_who_mirrors_has_to_know_how_training_did(recipe: Recipe) -> None:
    check_computing(recipe, Computing(mirror=True))
    check_computing(replace(recipe, origin="elsewhere"), EXACT)
    with pytest.raises(InputError, match="--mirror: a bundle that medunet didn't write doesn't say"):
        check_computing(replace(recipe, origin="elsewhere"), Computing(mirror=True))


def test_a_mirrored_backend_asks_the_other_one_of_all_axes(recipe: Recipe) -> None:
    network = build_network(recipe.network).eval()
    with open_backend(network, recipe, Computing(backend="torch", mirror=True)) as backend:
        patches = torch.rand(1, recipe.task.count_inputs(), *recipe.window.patch)
        mirrored = backend.run(patches.flip([2, 4])).flip([2, 4])
        assert torch.allclose(backend.run(patches), mirrored, atol=1e-5)
    said = describe_computed(TorchBackend(torch.device("cpu"), torch.float32), Computing(mirror=True)).describe()
    assert said == "by torch in float32, 2 patches at once, preset exact, mirrored"


def test_only_axes_that_training_mirrored_are_mirrored(recipe: Recipe) -> None:
    network = build_network(recipe.network).eval()
    patches = torch.rand(1, recipe.task.count_inputs(), *recipe.window.patch)
    results = {}
    for axes in ((), (1, 2), None):
        sided = replace(recipe, mirrored=axes)
        with open_backend(network, sided, Computing(backend="torch", mirror=True)) as backend:
            results[axes] = backend.run(patches), backend.run(patches.flip([3, 4])).flip([3, 4])
    with open_backend(network, recipe, Computing(backend="torch")) as backend:
        assert torch.equal(results[()][0], backend.run(patches))
    assert torch.allclose(*results[(1, 2)], atol=1e-5)
    assert not torch.allclose(results[(1, 2)][0], results[None][0], atol=1e-3)


def test_torch_takes_what_openvino_cannot_and_says_so_unless_it_was_wanted(recipe: Recipe) -> None:
    pytest.importorskip("openvino")
    odd = Odd(len(recipe.task.name_classes()))
    elsewhere = replace(recipe, origin="elsewhere")
    with listening() as heard, open_backend(odd, elsewhere, FAST) as backend:
        assert backend.traits.name == "torch"
        patches = torch.rand(1, recipe.task.count_inputs(), *recipe.window.patch)
        assert torch.equal(backend.run(patches), odd(patches))
    (note,) = heard
    assert (note.code, note.severity) == ("backend-unfit", "note")
    assert "so that torch computes" in note.found
    with pytest.raises(InputError, match=r"--backend openvino: OpenVINO can't .*take --backend torch") as caught:
        open_backend(odd, elsewhere, Computing(backend="openvino"))
    assert caught.value.code == "backend-unfit"
    with pytest.raises(InputError, match="--backend openvino"):
        open_backend(odd, recipe, FAST)


def test_a_backend_that_is_wanted_and_missing_is_named_with_its_extra(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_network(recipe.network)
    monkeypatch.setattr("medunet.extras.importlib.import_module", _lack)
    with pytest.raises(ExtraError, match=r"--backend openvino: it needs openvino>=.*pip install 'medunet\[openvino\]'"):
        open_backend(network, recipe, Computing(backend="openvino"))


def _lack(module: str) -> None:
    raise ImportError(f"no {module}")


def test_all_backends_are_known_by_name() -> None:
    assert isinstance(list_backends(Computing(backend="openvino"))[0], OpenVinoBackend)
