from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from plans import make_test_plan, write_test_bundle

from medunet.bundle import Decision, Recipe, make_recipe, open_bundle
from medunet.inference.backends import MeanBackend, TorchBackend
from medunet.inference.confidence import MANY, Watch, find_outputs
from medunet.labels import LabelTable, Region
from medunet.task import Separation


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return make_recipe(open_bundle(write_test_bundle(tmp_path / "bundle", make_test_plan())))


def label(recipe: Recipe, names: list[str]) -> Recipe:
    task = recipe.task.model_copy(update={"labels": LabelTable.from_names(names)})
    return replace(recipe, task=task, decision=Decision("largest", tuple(range(len(names) + 1))))


def measure_dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def see(watch: Watch, logits: torch.Tensor) -> None:
    assert all(
        torch.equal(one, other) for one, other in zip(watch.see(logits.unbind(1)), logits.unbind(1), strict=True)
    )


def test_a_temperature_makes_the_score_that_of_other_probabilities(recipe: Recipe) -> None:
    logits = 3 * torch.randn((2, 6, 5, 4), generator=torch.Generator().manual_seed(0))
    cold = replace(recipe, decision=replace(recipe.decision, temperature=2.0))
    scores = []
    for own, given in ((cold, logits), (recipe, logits / 2), (recipe, logits)):
        watch = Watch(own)
        see(watch, given)
        scores.append(watch.finish()["lesion"][0])
    assert scores[0] == scores[1] < scores[2]


def test_the_expected_dice_is_that_of_probabilities_with_their_own_mask(recipe: Recipe) -> None:
    recipe = label(recipe, ["a", "b"])
    logits = 3 * torch.randn((3, 6, 5, 4), generator=torch.Generator().manual_seed(0))
    watch = Watch(recipe)
    see(watch, logits)
    likely, best = torch.softmax(logits, 0).double().numpy(), logits.argmax(0).numpy()
    for number, name in enumerate(("a", "b"), start=1):
        mask = best == number
        wanted = 2 * likely[number][mask].sum() / (likely[number].sum() + mask.sum())
        expected, agreement = watch.finish()[name]
        assert expected == pytest.approx(wanted, rel=1e-5)
        assert agreement is None


def test_it_is_the_mean_dice_of_masks_drawn_from_the_probabilities(recipe: Recipe) -> None:
    """What its name says, for a network whose probabilities are right."""
    rng = np.random.default_rng(1)
    logits = torch.zeros((2, 20, 20, 20))
    logits[1] = torch.from_numpy(rng.normal(-2, 3, (20, 20, 20)))
    watch = Watch(recipe)
    see(watch, logits)
    likely, mask = torch.softmax(logits, 0)[1].numpy(), (logits[1] > 0).numpy()
    drawn = [measure_dice(rng.random(mask.shape) < likely, mask) for _ in range(20)]
    assert watch.finish()["lesion"][0] == pytest.approx(np.mean(drawn), abs=0.01)


def test_nothing_found_has_no_score(recipe: Recipe) -> None:
    watch = Watch(recipe)
    see(watch, torch.stack([torch.ones(4, 4, 4), torch.zeros(4, 4, 4)]))
    assert watch.finish() == {"lesion": (None, None)}


def test_of_many_outputs_every_second_voxel_counts(recipe: Recipe) -> None:
    recipe = label(recipe, [f"l{n}" for n in range(MANY)])
    logits = torch.randn((MANY + 1, 8, 8, 8), generator=torch.Generator().manual_seed(2))
    watch, other = Watch(recipe), Watch(recipe)
    see(watch, logits)
    coarse = torch.full_like(logits, -9.0)
    coarse[0] = 9.0
    coarse[:, ::2, ::2, ::2] = logits[:, ::2, ::2, ::2]
    see(other, coarse)
    assert watch.finish() == other.finish()


def test_regions_have_a_probability_each_and_objects_are_interior_and_border(recipe: Recipe) -> None:
    table = LabelTable.from_names(["core", "edge"])
    regions = (Region(name="whole", values=(1, 2), value=2), Region(name="core", values=(1,), value=1))
    task = recipe.task.model_copy(update={"labels": table.model_copy(update={"regions": regions})})
    painted = replace(recipe, task=task, decision=Decision("regions", (2, 1)))
    assert find_outputs(painted) == {"whole": (0,), "core": (1,)}
    watch = Watch(painted)
    logits = torch.tensor([2.0, -1.0]).reshape(2, 1, 1, 1).expand(2, 3, 3, 3)
    see(watch, logits)
    likely = float(torch.sigmoid(torch.tensor(2.0)))
    assert watch.finish()["whole"][0] == pytest.approx(2 * likely / (1 + likely))
    assert watch.finish()["core"][0] is None
    single = LabelTable.from_names(["cell"], objects=True)
    update = {"labels": single, "objects": Separation(border=1, smallest=1.0)}
    cells = replace(recipe, task=recipe.task.model_copy(update=update), decision=Decision("largest", (0, 1, 2)))
    assert find_outputs(cells) == {"cell": (1, 2)}
    watch = Watch(cells)
    # Unsure between interior and border, sure of the cell.
    see(watch, torch.tensor([-20.0, 1.0, 1.0]).reshape(3, 1, 1, 1).expand(3, 3, 3, 3))
    assert watch.finish()["cell"][0] == pytest.approx(1.0)


def test_steps_of_others_decide_without_a_score(recipe: Recipe) -> None:
    foreign = replace(recipe, decision=replace(recipe.decision, steps=({"_target_": "FillHolesd"},)))
    watch, backend = Watch(foreign), MeanBackend(lambda: TorchBackend(torch.device("cpu")), 2)
    see(watch, torch.randn(2, 3, 3, 3))
    assert watch.finish() == {}
    assert watch.join(backend) is backend


def test_folds_agree_as_their_masks_do(recipe: Recipe) -> None:
    recipe = label(recipe, ["a", "b"])
    rng = torch.Generator().manual_seed(3)
    folds = [torch.randn((2, 3, 4, 4, 4), generator=rng) for _ in range(4)]
    watch = Watch(recipe)
    for patch in range(2):
        watch.see_folds([item[patch : patch + 1] for item in folds])
    masks = [item.argmax(1).numpy() for item in folds]
    for number, name in enumerate(("a", "b"), start=1):
        wanted = np.mean([measure_dice(one == number, other == number) for one, other in combinations(masks, 2)])
        assert watch.finish()[name][1] == pytest.approx(wanted)
    same = Watch(recipe)
    same.see_folds([folds[0], folds[0]])
    assert same.finish()["a"][1] == 1.0
