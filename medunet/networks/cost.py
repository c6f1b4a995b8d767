"""What a network costs on this machine: seconds of one training step."""

import time
from statistics import median

import torch
from monai.bundle import ConfigComponent
from monai.losses import DeepSupervisionLoss

from medunet.networks.layout import is_channels_last, lay_out
from medunet.networks.loss import make_loss
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
    loss = DeepSupervisionLoss(ConfigComponent(config=make_loss(plan)).instantiate())
    optimizer = ConfigComponent(config=make_optimizer(training.optimizer, network.parameters(), 1e-6)).instantiate()
    patch, batch = plan.window.patch, training.batch
    size = patch[: plan.network.dims] if patch[2] == 1 else patch
    generator = torch.Generator().manual_seed(0)
    image = torch.randn((batch, plan.task.count_inputs(), *size), generator=generator).to(device)
    label = (torch.rand((batch, 1, *size), generator=generator) > 0.9).float().to(device)
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
        loss(inferer(image, network), label).backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return min(times[1:]) if foresee_seconds is None else median(times[1:])


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
