from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.bundle import ConfigParser
from nibabel.orientations import apply_orientation, inv_ornt_aff
from plans import make_test_plan
from stock import measure_dice
from streams import LocalBackend, assemble_whole, oblique_grids, turned_grids
from torch.nn.functional import grid_sample

from medunet.bundle import Decision, choose_decision
from medunet.geometry import Grid, Shape
from medunet.inference import assemble_planes, restore_mask
from medunet.inference.restore import choose_labels
from medunet.labels import LabelTable, Mask, Region
from medunet.planning import Normalization
from medunet.preparation import make_decision, make_preprocessing, run_chain
from medunet.reading import find_image, read_volume
from medunet.task import Separation, Task


def restore(
    planes: Iterable[torch.Tensor], network: Grid, source: Grid, table: LabelTable, objects: Separation | None = None
) -> Mask:
    """By the decision that medunet writes for these labels."""
    task = Task(channels=("mr",), modalities={"mr": "MR"}, labels=table, objects=objects)
    return restore_mask(planes, network, source, task, choose_decision(task))


def test_logits_go_back_linearly_before_labels_are_taken() -> None:
    coarse = Grid((20, 20, 20), np.diag([4.0, 4, 4, 1]))
    fine = Grid((76, 76, 76), np.diag([1.0, 1, 1, 1]))

    def distance(grid: Grid) -> np.ndarray:
        world = grid.to_world(np.argwhere(np.ones(grid.shape, bool)))
        return 20 - np.linalg.norm(world - 38, axis=1).reshape(grid.shape)

    logits = torch.from_numpy(np.stack([np.zeros(coarse.shape), distance(coarse)])).float()
    mask = restore(logits.unbind(1), coarse, fine, LabelTable.from_names(["ball"]))
    truth = distance(fine) > 0
    assert measure_dice(mask.voxels, truth) > 0.98
    assert mask.grid is fine


def test_a_mask_comes_back_from_all_48_orientations(tmp_path: Path) -> None:
    """Through the inference chain to half the spacing, as if the network found each class where it is, and back."""
    spacing = np.array([0.7, 1.1, 3.0])
    plain = Normalization(kind="fixed", low=0, high=100, mean=0, sd=1)
    plan = make_test_plan(channels=("mr",)).change(
        grid={"spacing_mm": tuple(spacing / 2), "normalization": {"mr": plain}}
    )
    steps = make_preprocessing(plan)
    labels = np.random.default_rng(5).integers(0, 3, (4, 5, 6))
    turned = np.linalg.qr(np.array([[1, 0.2, 0.1], [-0.1, 1, 0.3], [0.2, -0.2, 1]]))[0]
    turned *= np.sign(np.diag(turned))
    affine = nib.affines.from_matvec(turned * spacing, (5, -6, 7))
    for axes, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
        orientation = np.column_stack([axes, flips])
        place = affine @ inv_ornt_aff(orientation, labels.shape)
        stored = apply_orientation(labels, orientation)
        logits = []
        for value in range(3):
            nib.save(nib.Nifti1Image(100 * (stored == value).astype(np.int16), place), tmp_path / "a.nii")
            logits.append(run_chain(steps, {"image": find_image(tmp_path / "a.nii")}))
        source = read_volume(tmp_path / "a.nii").grid
        scores = torch.cat([item.as_tensor() for item in logits])
        assert scores.shape[1:] == tuple(2 * n - 1 for n in labels.shape)
        network = Grid(scores.shape[1:], np.asarray(logits[0].affine))
        mask = restore(scores.unbind(1), network, source, LabelTable.from_names(["one", "two"]))
        assert np.array_equal(mask.voxels, stored), orientation


def test_the_last_region_above_one_half_counts() -> None:
    regions = (
        Region(name="whole", values=(1, 2, 3), value=1),
        Region(name="inner", values=(2, 3), value=3),
        Region(name="core", values=(2,), value=2),
    )
    table = LabelTable.from_names(["a", "b", "c"]).model_copy(update={"regions": regions})
    logits = torch.tensor([[-1.0, 2, 2, 2, -1, 0], [-1, -1, 1, 1, -1, -1], [-1, -1, -1, 0.1, 3, -1]])
    grid = Grid((6, 1, 1), np.eye(4))
    mask = restore(logits.reshape(3, 6, 1, 1).unbind(1), grid, grid, table)
    assert mask.voxels.ravel().tolist() == [0, 1, 3, 2, 2, 0]
    # MONAI takes the same decision by the bundle's configuration.
    steps = make_decision(make_test_plan().change(task={"labels": table}).task)
    parser = ConfigParser({"imports": ["$import torch"], "steps": {"_target_": "Compose", "transforms": steps}})
    theirs = parser.get_parsed_content("steps")({"pred": logits.reshape(3, 6, 1, 1)})["pred"]
    assert theirs.shape == (1, 6, 1, 1)
    assert theirs.ravel().tolist() == mask.voxels.ravel().tolist()


def test_objects_are_numbered_on_the_source_grid() -> None:
    grid = Grid((9, 6, 1), np.diag([1.0, 1, 2, 1]), "px")
    classes = np.zeros(grid.shape, int)
    classes[1:4, 1:5], classes[4, 1:5], classes[5:8, 1:5], classes[8, 5] = 1, 2, 1, 1
    logits = torch.from_numpy(np.stack([classes == value for value in range(3)])).float()
    table = LabelTable.from_names(["nucleus"], objects=True)
    mask = restore(logits.unbind(1), grid, grid, table, Separation(border=1, smallest=2))
    assert (mask.kind, len(mask.find_sizes()), mask.find_sizes().sum()) == ("instances", 2, 28)
    # A bundle without a border class has its connected parts.
    parts = restore(logits[:2].unbind(1), grid, grid, table)
    assert (parts.kind, sorted(parts.find_sizes())) == ("instances", [1, 12, 12])


def restore_whole(logits: torch.Tensor, network: Grid, source: Grid, values: tuple[int, ...]) -> np.ndarray:
    """Labels as they are made plainly: logits at every voxel of the source at once, then the decision."""
    if network.shape != source.shape or not np.array_equal(network.affine, source.affine):
        rows = np.linalg.inv(network.affine) @ source.affine
        steps = torch.meshgrid(*(torch.arange(n).double() for n in source.shape), indexing="ij")
        places = torch.empty((*source.shape, 3))
        for axis, size in enumerate(network.shape):
            index = steps[0] * rows[axis, 0] + steps[1] * rows[axis, 1] + steps[2] * rows[axis, 2] + rows[axis, 3]
            places[..., 2 - axis] = index * (2.0 / max(size - 1, 1)) - 1.0
        logits = grid_sample(logits[None], places[None], padding_mode="border", align_corners=True)[0]
    if not values:
        return logits.numpy().argmax(0)
    labels = np.zeros(source.shape, int)
    for score, value in zip(logits.numpy(), values, strict=True):
        labels[score > 0] = value
    return labels


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.integers(3, 6)] * 3),
    st.sampled_from((0.0, 0.25, 0.5)),
    st.sampled_from(("two", "four", "regions")),
    st.data(),
)
def test_labels_from_patches_are_those_of_whole_logits(
    shape: Shape, patch: Shape, overlap: float, kind: str, data: st.DataObject
) -> None:
    network = Grid(shape, np.diag([2.0, 1.5, 3.0, 1.0]))
    source = data.draw(st.one_of(turned_grids(network), oblique_grids(network)))
    table = LabelTable.from_names(["a", "b", "c"] if kind != "two" else ["a"])
    values: tuple[int, ...] = ()
    if kind == "regions":
        parts = {"whole": (1, 2, 3), "core": (2, 3), "inner": (3,)}
        regions = tuple(Region(name=name, values=of, value=of[0]) for name, of in parts.items())
        table, values = table.model_copy(update={"regions": regions}), (1, 2, 3)
    backend = LocalBackend({"two": 2, "four": 4, "regions": 3}[kind])
    image = torch.randn(1, *shape, generator=torch.Generator().manual_seed(data.draw(st.integers(0, 99))))
    mask = restore(assemble_planes(image, backend, patch, overlap, "test"), network, source, table)
    whole = restore_whole(assemble_whole(image, backend, patch, overlap), network, source, values)
    assert np.array_equal(mask.voxels, whole)


def test_the_largest_class_is_written_as_the_value_that_it_has() -> None:
    grid = Grid((4, 1, 1), np.eye(4))
    task = Task(channels=("mr",), modalities={"mr": "MR"}, labels=LabelTable.from_names(["a", "b"]))
    logits = torch.eye(3)[:, [0, 1, 2, 1]].reshape(3, 4, 1, 1)
    for values in ((0, 1, 2), (0, 2, 1), (1, 0, 2)):
        mask = restore_mask(logits.unbind(1), grid, grid, task, Decision("largest", values))
        assert mask.voxels.ravel().tolist() == [values[index] for index in (0, 1, 2, 1)]
        assert mask.voxels.dtype == np.uint8


def test_thresholds_are_of_probabilities_by_temperature_and_masks_without_are_as_ever() -> None:
    scores = 4 * torch.randn((3, 6, 5, 4), generator=torch.Generator().manual_seed(2))
    plain, tempered = Decision("largest", (0, 1, 2)), Decision("largest", (0, 1, 2), temperature=3.0)
    assert choose_labels(tempered) is choose_labels(plain)
    given = (None, 0.4, None)
    wanted = choose_labels(replace(plain, thresholds=given))(scores / 3)
    assert torch.equal(choose_labels(replace(tempered, thresholds=given))(scores), wanted)
    assert not torch.equal(choose_labels(replace(plain, thresholds=given))(scores), wanted)
    regions = Decision("regions", (2, 1), temperature=3.0)
    assert torch.equal(choose_labels(regions)(scores[:2]), choose_labels(replace(regions, temperature=1.0))(scores[:2]))
    above = choose_labels(replace(regions, thresholds=(0.6, 0.6)))(scores[:2])
    likely = torch.sigmoid(scores[:2] / 3) >= 0.6
    assert torch.equal(above, torch.where(likely[1], 1, torch.where(likely[0], 2, 0)).to(torch.uint8))
