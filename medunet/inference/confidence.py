"""Measure how sure a network is of each structure, while its logits stream by.

Two numbers, both on the network's grid and before thresholds, parts that are left out and the way back:

- *expected Dice*: `2 Σ p m / (Σ p + Σ m)` over all voxels, where p is the probability of the structure and m its mask,
  1 where the network decides for it. It is the soft Dice confidence of Borges et al. 2024 (arXiv 2402.10665), near the
  Dice that is to be expected if the probabilities were right.
- *agreement* of folds: the mean over each two of them of the Dice of their masks, which did best of what Zenk et al.
  2025 (Medical Image Analysis, arXiv 2406.03323) compared for finding failures. It is taken patch by patch, so that
  voxels count as often as patches cover them, and nothing of a fold is kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import torch

from medunet.bundle import Recipe
from medunet.inference.backends import Backend, MeanBackend

MANY = 8
"""Outputs from which on only every second voxel along each axis counts, since all would cost seconds."""


Scores = Mapping[str, tuple[float | None, float | None]]
"""Expected Dice and agreement of folds, by name of the structure."""


def find_outputs(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """The outputs of a network that make each label or region; none where steps of a bundle from elsewhere decide."""
    decision, table, task = recipe.decision, recipe.task.labels, recipe.task
    if recipe.evaluated is not None or decision.kind == "threshold" or decision.steps:
        return {}
    if task.labels.objects:
        return {region.name: tuple(range(1, len(decision.values))) for region in table.structures}
    if decision.kind == "regions":
        return {region.name: (n,) for n, region in enumerate(table.regions)}
    return {
        region.name: tuple(n for n, value in enumerate(decision.values) if value in region.values)
        for region in table.structures
    }


class Watch:
    """Adds up what one scan's logits say of each structure.

    Args:
        recipe: by which it is predicted.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._outputs = find_outputs(recipe)
        self._exclusive = recipe.decision.kind == "largest"
        self._temper = recipe.decision.temper
        count = len(self._outputs)
        # Of each structure: sums of p m, of p and of m.
        self._sums = torch.zeros((3, count), dtype=torch.float64)
        self._folds: list[torch.Tensor] = []
        self._common = torch.zeros((0, count), dtype=torch.float64)

    def join(self, backend: Backend) -> Backend:
        """The backend, with a look at the logits of its folds where it has several."""
        return backend.watched(self.see_folds) if isinstance(backend, MeanBackend) and self._outputs else backend

    def see(self, planes: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Hand planes of logits (outputs, J, K) on, as they are, and add them up."""
        for number, plane in enumerate(planes):
            step = 2 if len(plane) > MANY else 1
            if self._outputs and number % step == 0:
                self._add(plane[:, ::step, ::step])
            yield plane

    def _add(self, logits: torch.Tensor) -> None:
        logits = self._temper(logits)
        likely = torch.softmax(logits, 0) if self._exclusive else torch.sigmoid(logits)
        for number, (probability, mask) in enumerate(self._list_masks(likely)):
            if number >= len(self._outputs):
                break
            own = torch.stack([probability[mask].sum(), probability.sum(), mask.sum()])
            self._sums[:, number] += own.double()

    def _list_masks(self, likely: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Probability and mask of each structure, of probabilities or logits (outputs, …) of one scan or patch."""
        best = likely.argmax(0) if self._exclusive else None
        for outputs in self._outputs.values():
            if best is None:
                yield likely[outputs[0]], likely[outputs[0]] > 0.5
            else:
                yield sum_outputs(likely, outputs), is_one_of(best, outputs)

    def see_folds(self, logits: Sequence[torch.Tensor]) -> None:
        """Add up the masks of folds, from their logits (B, outputs, I, J, K) for the same patches."""
        masks = [self._decide(item) for item in logits]
        sizes = torch.stack([mask.sum(1) for mask in masks]).double()
        common = torch.stack([(one & other).sum(1) for one, other in combinations(masks, 2)]).double()
        if not self._folds:
            self._folds, self._common = [sizes], common
        else:
            self._folds[0] += sizes
            self._common += common

    def _decide(self, logits: torch.Tensor) -> torch.Tensor:
        """Masks (structures, voxels) of patches."""
        if not self._exclusive:
            return torch.stack([logits[:, outputs[0]].flatten() > 0 for outputs in self._outputs.values()])
        best = logits.argmax(1).flatten()
        return torch.stack([is_one_of(best, outputs) for outputs in self._outputs.values()])

    def finish(self) -> Scores:
        """What came of it; nothing where structures aren't made of outputs."""
        expected, agreement = self.measure_expected(), self.measure_agreement()
        return {name: (expected[name], agreement[name]) for name in self._outputs}

    def measure_expected(self) -> dict[str, float | None]:
        """Expected Dice of each structure; None where the network found nothing of it."""
        both, likely, mask = self._sums
        found = {}
        for number, name in enumerate(self._outputs):
            whole = float(likely[number] + mask[number])
            found[name] = float(2 * both[number]) / whole if mask[number] > 0 else None
        return found

    def measure_agreement(self) -> dict[str, float | None]:
        """Mean Dice of each two folds' masks of each structure; None without folds, or where none found any of it."""
        if not self._folds:
            return dict.fromkeys(self._outputs)
        (sizes,) = self._folds
        pairs = list(combinations(range(len(sizes)), 2))
        found: dict[str, float | None] = {}
        for number, name in enumerate(self._outputs):
            wholes = [float(sizes[one, number] + sizes[other, number]) for one, other in pairs]
            dices = [2 * float(self._common[n, number]) / whole for n, whole in enumerate(wholes) if whole]
            found[name] = sum(dices) / len(dices) if dices else None
        return found


def sum_outputs(likely: torch.Tensor, outputs: Sequence[int]) -> torch.Tensor:
    """Probability of any of some outputs."""
    return likely[outputs[0]] if len(outputs) == 1 else likely[list(outputs)].sum(0)


def is_one_of(best: torch.Tensor, outputs: Sequence[int]) -> torch.Tensor:
    """Whether the number of the best output is one of these."""
    mask = best == outputs[0]
    for other in outputs[1:]:
        mask = mask | (best == other)
    return mask
