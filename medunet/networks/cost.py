"""What a network costs on this machine: seconds of one training step, and features that it makes of a patch."""

import logging
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import torch
from monai.bundle import ConfigComponent
from monai.losses import DeepSupervisionLoss
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from medunet.errors import BundleError, name_fault
from medunet.networks.layout import is_channels_last, lay_out
from medunet.networks.loss import build_loss
from medunet.networks.optimizer import make_optimizer
from medunet.networks.precision import AutocastInferer, choose_device, choose_precision
from medunet.networks.unet import DeepSupervision, build_network, make_network
from medunet.planning import Plan, Speed

PROBE_SECONDS, PROBE_STEPS = 6.0, 6


def measure_step(plan: Plan, foresee_seconds: float | None = None) -> float:
    """Seconds of one training step (forward, loss, backward, update) at the plan's patch and batch.

    The first step warms up; then steps are timed until six seconds have passed, at least one and at most five. The
    fastest counts, to compare networks, since other work on the machine only ever slows.

    Args:
        plan: of the network.
        foresee_seconds: go on for so long and take the median, to foresee many steps.
    """
    device = choose_device()
    network = lay_out(DeepSupervision(build_network(make_network(plan)), plan.network.heads).to(device)).train()
    training = plan.training
    loss = DeepSupervisionLoss(build_loss(plan))
    optimizer = ConfigComponent(config=make_optimizer(training.optimizer, network.parameters(), 1e-6)).instantiate()
    patch, batch = plan.window.patch, training.batch
    size = patch[: plan.network.dims] if patch[2] == 1 else patch
    generator = torch.Generator().manual_seed(0)
    image = torch.randn((batch, plan.task.count_inputs(), *size), generator=generator).to(device)
    label = (torch.rand((batch, 1, *size), generator=generator) > 0.9).float().to(device)
    label = torch.cat([label, *[label / 2] * plan.count_taught()], 1)
    inferer = AutocastInferer()
    times: list[float] = []
    started = time.perf_counter()
    while (
        len(times) < 2
        or (passed := time.perf_counter() - started) < (foresee_seconds or 0.0)
        or (passed < PROBE_SECONDS and len(times) < PROBE_STEPS)
    ):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        _compute_loss(plan, loss, inferer(image, network), label).backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return min(times[1:]) if foresee_seconds is None else median(times[1:])


def _compute_loss(plan: Plan, loss: nn.Module, logits: Any, label: torch.Tensor) -> torch.Tensor:
    try:
        found: torch.Tensor = loss(logits, label)
    except Exception as error:
        if not isinstance(plan.training.loss, dict):
            raise
        said = f"{plan.training.loss['_target_']} fails on a batch ({name_fault(error)})"
        raise BundleError("training.loss", said, "correct its arguments, or take another loss") from error
    return found


def count_features(config: Mapping[str, Any], patch: tuple[int, int, int]) -> tuple[int, int]:
    """Numbers that a network learns, and bytes of all features that one patch makes, float32.

    It runs once, on a tensor that has a shape alone.

    Args:
        config: its `_target_` dictionary.
        patch: voxels (x, y, z); 1 along z for a network of two axes.

    Raises:
        BundleError: it can't be built, or doesn't take such patches.
    """
    network, counted = build_network(config).eval(), 0

    def count(_: nn.Module, __: Any, output: Any) -> None:
        nonlocal counted
        counted += 4 * output.numel() if isinstance(output, torch.Tensor) else 0

    hooks = [part.register_forward_hook(count) for part in network.modules() if not list(part.children())]
    size = patch[:2] if config.get("spatial_dims") == 2 else patch
    said = ""
    noise = logging.getLogger("torch._subclasses.fake_tensor")
    heard, noise.disabled = noise.disabled, True  # it tells of every failure, whoever handles it
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
            logits = network(torch.empty(1, config["in_channels"], *size))
    except Exception as error:
        said = name_fault(error)
    else:
        made = tuple(logits.shape[2:])
        said = "" if made == size else f"it makes {' × '.join(map(str, made))} of them"
    finally:
        noise.disabled = heard
    if said:
        found = f"{config['_target_']} fails on patches of {' × '.join(map(str, size))} ({said})"
        raise BundleError("network_def", found, "correct the patch of the bundle's inferer")
    for hook in hooks:
        hook.remove()
    return sum(values.numel() for values in network.parameters()), counted


def describe_speed(step_seconds: float) -> Speed:
    """How this machine trains a network whose steps take so many seconds."""
    device = choose_device()
    return Speed(
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        steps_per_second=float(f"{1 / step_seconds:.3g}"),
        precision=str(choose_precision(device)).removeprefix("torch."),
        channels_last=is_channels_last(device),
        threads=torch.get_num_threads(),
    )
