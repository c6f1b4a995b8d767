from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import LocalBackend, follow_live_bytes, oblique_grids, turned_grids

import medunet
from medunet.bundle import Decision
from medunet.errors import ResourceError
from medunet.geometry import Grid, Shape
from medunet.inference import assemble_planes, restore_mask
from medunet.inference.probabilities import ProbabilityMaps, quantize_classes, quantize_regions
from medunet.labels import LabelTable, Region
from medunet.task import Task

NETWORK = Grid((9, 8, 7), np.diag([2.0, 1.5, 3.0, 1.0]))
REGIONS = (Region(name="whole", values=(1, 2, 3), value=1), Region(name="core", values=(2, 3), value=2))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.sampled_from((0.01, 0.3, 3.0, 30.0)), st.integers(0, 99))
def test_classes_sum_to_one_and_the_largest_is_that_of_the_logits(classes: int, spread: float, seed: int) -> None:
    """Also where many are alike, so that rounding alone would turn them round."""
    scores = torch.randn((classes, 6, 5, 4), generator=torch.Generator().manual_seed(seed)) * spread
    scores[:, 0] = scores[:, 0].round()
    steps = quantize_classes(scores)
    assert (steps.sum(axis=0, dtype=int) == 255).all()
    # Strictly, so that the order in which classes are written doesn't matter.
    assert np.array_equal(steps.argmax(axis=0), scores.numpy().argmax(axis=0))
    assert np.array_equal(classes - 1 - steps[::-1].argmax(axis=0), scores.numpy().argmax(axis=0))
    exact = torch.softmax(scores, dim=0).numpy() * 255
    assert np.abs(steps - exact).mean() < 1
    if spread >= 3:
        assert np.abs(steps - exact).max() < 4


def test_regions_are_above_one_half_where_they_are_painted() -> None:
    scores = torch.tensor([-30.0, -1, -1e-9, 0, 1e-9, 1e-3, 2, 30]).reshape(1, 8, 1, 1)
    steps = quantize_regions(scores).ravel().tolist()
    assert steps == [0, 69, 127, 127, 128, 128, 225, 255]


def test_a_temperature_divides_and_the_order_stays() -> None:
    scores = 4 * torch.randn((3, 6, 5, 4), generator=torch.Generator().manual_seed(1))
    steps = quantize_classes(scores, 2.0)
    assert np.abs(steps - torch.softmax(scores / 2, dim=0).numpy() * 255).max() <= 2
    assert np.array_equal(steps.argmax(axis=0), scores.numpy().argmax(axis=0))
    regions = quantize_regions(torch.tensor([-4.0, -1e-9, 0, 1e-9, 4]).reshape(1, 5, 1, 1), 2.0).ravel().tolist()
    assert regions == [30, 127, 127, 128, 225]


def restore(source: Grid, decision: Decision, task: Task, maps: ProbabilityMaps | None, seed: int = 0) -> np.ndarray:
    image = torch.randn((1, *NETWORK.shape), generator=torch.Generator().manual_seed(seed))
    backend = LocalBackend(len(decision.values))
    planes = assemble_planes(image, backend, (4, 4, 4), 0.5, "test")
    return restore_mask(planes, NETWORK, source, task, decision, maps and maps.open(source)).voxels


@pytest.mark.parametrize("values", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_maps_lie_on_the_scan_and_are_largest_where_the_mask_is(tmp_path: Path, values: tuple[int, ...]) -> None:
    task = Task(channels=("mr",), modalities={"mr": "MR"}, labels=LabelTable.from_names(["a", "b", "c"]))
    decision = Decision("largest", values)
    names = [f"output {n}" for n in range(4)]

    @settings(max_examples=30, deadline=None)
    @given(st.one_of(turned_grids(NETWORK), oblique_grids(NETWORK), st.just(NETWORK)))
    def check(source: Grid) -> None:
        plain = restore(source, decision, task, None)
        with ProbabilityMaps(tmp_path, names, decision) as maps:
            mask = restore(source, decision, task, maps)
            assert np.array_equal(mask, plain)
            found = maps.finish()
            assert found.names == tuple(names[values.index(value)] for value in range(4))
            assert found.maps.shape == (4, *source.shape)
            assert np.array_equal(found.maps.argmax(axis=0), mask)
            assert (found.maps.sum(axis=0, dtype=int) == 255).all()
        assert list(tmp_path.iterdir()) == [], "the scratch file has no name"

    check()


def test_regions_have_a_map_each(tmp_path: Path) -> None:
    table = LabelTable.from_names(["a", "b", "c"]).model_copy(update={"regions": REGIONS})
    task = Task(channels=("mr",), modalities={"mr": "MR"}, labels=table)
    decision = Decision("regions", (1, 2))
    source = Grid((12, 11, 9), np.diag([1.5, 1.2, 2.5, 1.0]))
    with ProbabilityMaps(tmp_path, ["whole", "core"], decision) as maps:
        mask = restore(source, decision, task, maps)
        whole, core = maps.finish().maps > 127
        assert np.array_equal(core, mask == 2)
        assert np.array_equal(whole | core, mask > 0)
        assert not maps.finish().exclusive


def test_what_was_not_predicted_is_background(tmp_path: Path) -> None:
    outside = np.zeros(NETWORK.shape, bool)
    outside[:4] = True
    for kind, background in (("largest", 255), ("regions", 0)):
        decision = Decision(kind, (0, 1) if kind == "largest" else (1, 2))  # type: ignore[arg-type]
        with ProbabilityMaps(tmp_path, ["a", "b"], decision).open(NETWORK) as maps:
            maps(torch.randn(2, *NETWORK.shape), (slice(None), slice(None), slice(None)))
            inside = maps.maps[:, ~outside].copy()
            maps.clear(outside)
            assert (maps.maps[0][outside] == background).all()
            assert (maps.maps[1][outside] == 0).all()
            assert np.array_equal(maps.maps[:, ~outside], inside)


def test_memory_does_not_grow_with_the_classes_of_the_scan(tmp_path: Path) -> None:
    """No float of every class exists on the whole grid of the scan: of tensors no more is alive than some planes."""
    shape: Shape = (96, 64, 64)
    source, network = Grid(shape, np.eye(4)), Grid((24, 16, 16), np.diag([4.0, 4, 4, 1]))
    task = Task(channels=("mr",), modalities={"mr": "MR"}, labels=LabelTable.from_names(list("abcdefg")))
    decision, planes = Decision("largest", tuple(range(8))), [torch.randn(8, 16, 16) for _ in range(24)]
    with follow_live_bytes() as live, ProbabilityMaps(tmp_path, list("abcdefgh"), decision) as maps:
        restore_mask(planes, network, source, task, decision, maps.open(source))
    assert live.peak < 12 * 8 * 4 * 64 * 64
    assert live.peak < 8 * 4 * 96 * 64 * 64 / 6


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    maps = ProbabilityMaps(tmp_path / "file", ["a", "b"], Decision("largest", (0, 1))).open(NETWORK)
    with pytest.raises(ResourceError, match="GiB of probabilities"), maps:
        maps(torch.randn(2, *NETWORK.shape), (slice(None), slice(None), slice(None)))
    with pytest.raises(ValueError, match="no grid"):
        ProbabilityMaps(tmp_path, ["a"], Decision("largest", (0,)))(torch.zeros(1, 1, 1, 1), (slice(0, 1),) * 3)


@pytest.mark.parametrize("box", [None, "-60:60,-60:60,-500:2000"])
def test_a_prediction_and_its_probabilities_agree(
    trained: Path, patients: list[Path], tmp_path: Path, box: str | None
) -> None:
    made = medunet.predict(trained, *patients[:3], output=tmp_path, formats=("probabilities",), box=box)
    for item in made:
        assert list(item.files) == ["nifti", "probabilities", "measures", "measures-csv"]
        image = nib.load(item.files["probabilities"])
        maps = image.get_fdata()
        assert np.abs(maps.sum(axis=-1) - 1).max() < 1e-3
        assert np.array_equal(maps.argmax(axis=-1), item.mask.voxels)
        assert np.allclose(image.affine, item.mask.grid.affine)
    assert any(item.status == "segmented" for item in made)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "tmp"))]
    (again,) = medunet.predict(trained, patients[0], output=tmp_path, formats=("probabilities",), box=box)
    assert again.kept
    again.files["probabilities"].unlink()
    (anew,) = medunet.predict(trained, patients[0], output=tmp_path, formats=("probabilities",), box=box)
    assert not anew.kept
    assert np.array_equal(nib.load(anew.files["probabilities"]).get_fdata().argmax(axis=-1), anew.mask.voxels)
