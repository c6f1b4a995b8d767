"""A running mean of the weights: what is validated and kept."""

import copy

import torch
from ignite.engine import Engine, Events

from medunet.networks import DeepSupervision


class WeightAverage:
    """Handler that keeps an exponential mean of a network's weights over the last steps.

    At a learning rate that is still high the mean is better than the weights of any one step, so a run that is
    stopped early leaves a better model. ignite's EMAHandler counts its own calls to warm up, so a resumed run would
    differ.

    Args:
        network: that is trained.
        decay: of a weight's share with each step, from a few hundred steps on; before, the mean is of fewer steps.

    Attributes:
        network: a copy that holds the mean, in evaluation mode.
    """

    def __init__(self, network: DeepSupervision, decay: float = 0.99) -> None:
        self._source = network
        self._decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._update)

    @torch.no_grad()
    def _update(self, engine: Engine) -> None:
        steps = engine.state.iteration
        share = max(1 - self._decay, 9 / (10 + steps))
        for mean, present in zip(self.network.parameters(), self._source.parameters(), strict=True):
            mean.lerp_(present, share)
        # What a batch norm has counted belongs to the present weights, but these are near their mean.
        for kept, counted in zip(self.network.buffers(), self._source.buffers(), strict=True):
            kept.copy_(counted)
