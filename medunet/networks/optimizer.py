"""The optimizer: kernels by orthogonalized momentum, what is left by AdamW."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic Newton-Schulz iteration, chosen for speed by Jordan 2024: singular values end near 1, not at it."""
ITERATIONS = 5
FEWEST_INPUTS = 3
"""Kernels with fewer inputs or outputs (first and last layers) are left to AdamW, as Jordan 2024 advises."""
KERNELS_FASTER = 2.5
"""Learning rate of kernels over that of all else: Jordan's 0.02 beside 0.008."""


def make_optimizer(kind: Literal["muon", "adamw", "sgd"], parameters: Any, lr: float | str) -> dict[str, Any]:
    """`_target_` dictionary of an optimizer, with momenta and decays of Jordan 2024 or Isensee 2021.

    Args:
        kind: as in the plan.
        parameters: of the network, or an expression for them.
        lr: learning rate, or an expression for it.
    """
    if kind == "muon":
        times = f"${KERNELS_FASTER} * {lr.removeprefix('$')}" if isinstance(lr, str) else KERNELS_FASTER * lr
        return {"_target_": "medunet.networks.Muon", "parameters": parameters, "lr": lr, "kernel_lr": times}
    if kind == "adamw":
        return {"_target_": "torch.optim.AdamW", "params": parameters, "lr": lr, "weight_decay": 3e-4}
    momentum = {"momentum": 0.99, "nesterov": True, "weight_decay": 3e-5}
    return {"_target_": "torch.optim.SGD", "params": parameters, "lr": lr, **momentum}


class Muon(torch.optim.AdamW):
    """AdamW whose step for kernels is their momentum with all singular values made nearly equal.

    "Jordan 2024" is K. Jordan et al., Muon: an optimizer for hidden layers in neural networks. torch's own takes
    matrices only; here a kernel (out, in, …) is the matrix (out, in · …).

    Args:
        parameters: of a network.
        lr: learning rate of all but kernels.
        kernel_lr: learning rate of kernels: the length of a step of each of their rows.
        momentum: of kernels, applied as Nesterov's.
        weight_decay: of all but kernels, which norms make independent of their scale.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 8e-3,
        kernel_lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 3e-4,
    ) -> None:
        kernels: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for parameter in parameters:
            is_kernel = parameter.ndim > 2 and min(parameter.shape[:2]) >= FEWEST_INPUTS
            (kernels if is_kernel else rest).append(parameter)
        of_kernels = {"params": kernels, "lr": kernel_lr, "weight_decay": 0.0, "momentum": momentum}
        groups: list[dict[str, Any]] = [{"params": rest}, of_kernels]
        super().__init__([group for group in groups if group["params"]], lr=lr, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the parameters by their gradients, and take these away."""
        if closure is not None:
            raise ValueError("Muon evaluates no closure")
        for group in self.param_groups:
            if "momentum" in group:
                for kernel in group["params"]:
                    self._step_kernel(kernel, group)
        return super().step()

    def _step_kernel(self, kernel: nn.Parameter, group: dict[str, Any]) -> None:
        if kernel.grad is None:
            return
        state = self.state[kernel]
        if not state:
            # AdamW looks for a count when a state is loaded.
            state.update(step=torch.zeros(()), average=torch.zeros_like(kernel))
        state["step"] += 1
        average = state["average"].lerp_(kernel.grad, 1 - group["momentum"])
        direction = kernel.grad.lerp(average, group["momentum"])
        kernel.sub_(orthogonalize(direction.flatten(1)).view_as(kernel), alpha=group["lr"])
        kernel.grad = None


def orthogonalize(matrix: torch.Tensor) -> torch.Tensor:
    """The nearest matrix with orthonormal rows (or columns, of which there are fewer), about (Jordan 2024).

    Args:
        matrix: (rows, columns) of any scale.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    result = matrix.mT if tall else matrix
    result = result / (result.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = result @ result.mT
        result = a * result + (b * gram + c * gram @ gram) @ result
    return result.mT if tall else result
