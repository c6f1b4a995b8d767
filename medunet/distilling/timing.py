"""Seconds of a scan by a network that isn't trained yet, and the largest network that needs no more than wanted.

What a prediction takes beside its network (reading, preparing, the way back, writing) is timed once for each grid, of a
made-up scan by a network of one layer of single voxels. A network is timed by the patch, and its patches are counted.
Random weights would make a mask of specks, which takes longer to measure than any real one: so what a whole network
computes is added, very small, to the logits of that one layer.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from medunet.bundle import Bundle, Recipe, make_recipe
from medunet.distilling.ladder import count_windows, describe_network, estimate_scan
from medunet.distilling.wishes import Wishes
from medunet.errors import InputError
from medunet.findings import listening
from medunet.geometry import Grid
from medunet.inference import Computing, Maker, Predictor, Scan, Wanted, predict_found
from medunet.inference.computing import describe_computed, hasten_recipe, open_backend
from medunet.networks import build_network, make_network
from medunet.planning import Plan
from medunet.preparation import make_preprocessing
from medunet.progress import report
from medunet.reading import Source, Volume, find_image
from medunet.writing import add_beside, find_usual

PROBE_SECONDS, PROBE_RUNS = 1.0, 3
BALL = 0.15
"""Radius of what is found in the scan, as a share of its half edges."""
SMALL = 1e-6
"""Share of the logits of a network with random weights; large enough for float32 to need them."""
FASTER = 3.0
"""A large network computes at most so many times faster per operation than the smallest; what is too slow even then is
not timed."""


@dataclass(frozen=True, slots=True)
class Timed:
    """What a network would take for the scan.

    Attributes:
        plan: of the network.
        seconds: of a prediction.
        network_seconds: of them in the network.
    """

    plan: Plan
    seconds: float
    network_seconds: float


class Timer:
    """Times predictions of a made-up scan; as a context manager it removes that at the end.

    Args:
        teacher: whose chain, labels and decision count.
        wishes: size of the scan, and how it is predicted.
        folder: in which the scan is written for as long.
    """

    def __init__(self, teacher: Bundle, wishes: Wishes, folder: Path) -> None:
        self._recipe = make_recipe(teacher)
        self._plan = teacher.plan
        self._wishes = wishes
        self._computing = Computing(wishes.preset)
        self._folder = TemporaryDirectory(prefix=".timing-", dir=folder)
        self._scan = self._write_scan()
        self._beside: dict[tuple[float, ...], float] = {}

    def __enter__(self) -> "Timer":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def foresee(self, plan: Plan) -> Timed:
        """Seconds of a scan by a network of a plan, from its parts."""
        key = (*plan.grid.spacing_mm, *plan.window.patch)
        if key not in self._beside:
            self._beside[key] = self.measure(self._open(plan, _make_point_network(plan)))
        network = self.time_network(plan)
        return Timed(plan, self._beside[key] + network, network)

    def time_network(self, plan: Plan) -> float:
        """Seconds of all patches of the scan in a network of a plan."""
        recipe = self._adapt(plan)
        windowed = plan.change(window={"overlap": recipe.window.overlap})
        return self._time_patch(plan) * count_windows(windowed, self._wishes.shape, self._wishes.spacing_mm)

    def measure_plan(self, plan: Plan) -> tuple[float, str]:
        """Seconds of a prediction by a network of a plan with random weights, and how it was computed."""
        predictor = self._open(plan, _SmoothNetwork(plan))
        return self.measure(predictor), predictor.computed.describe()

    def measure(self, predictor: Predictor) -> float:
        """Seconds of a prediction of the scan: reading, preparing, network, way back, writing; it closes its backend.

        Args:
            predictor: of one network.
        """
        with listening(), predictor, TemporaryDirectory(dir=self._folder.name) as folder:
            maker = Maker(predictor.recipe, {"model.pt": "0" * 64}, lambda: predictor, predictor.computed)
            wanted = Wanted(add_beside([find_usual("mm")]), Path(folder))
            inputs, patch = predictor.recipe.task.count_inputs(), predictor.recipe.window.patch
            predictor.backend.run(torch.zeros((1, inputs, *patch)))  # compiles what isn't yet
            started = time.perf_counter()
            predict_found("made up", self._scan, wanted, maker)
            return time.perf_counter() - started

    def _open(self, plan: Plan, network: nn.Module) -> Predictor:
        recipe = self._adapt(plan)
        backend = open_backend(network, recipe, self._computing)
        return Predictor(recipe, backend, {}, describe_computed(backend, self._computing))

    def _adapt(self, plan: Plan) -> Recipe:
        """The teacher's recipe with grid, network and window of a plan."""
        window = replace(self._recipe.window, patch=plan.window.patch, overlap=plan.window.overlap)
        steps = tuple(make_preprocessing(plan))
        recipe = replace(self._recipe, preprocessing=steps, network=make_network(plan), window=window)
        return hasten_recipe(recipe, self._computing)

    def _time_patch(self, plan: Plan) -> float:
        with self._open(plan, build_network(make_network(plan))) as predictor:
            backend = predictor.backend
            count = backend.traits.preferred_batch
            patches = torch.randn((count, plan.task.count_inputs(), *plan.window.patch))
            backend.run(patches)
            times: list[float] = []
            started = time.perf_counter()
            while len(times) < PROBE_RUNS or time.perf_counter() - started < PROBE_SECONDS:
                begin = time.perf_counter()
                backend.run(patches)
                times.append(time.perf_counter() - begin)
        return min(times) / count

    def _write_scan(self) -> Scan:
        """A scan of the size, as NIfTI."""
        task, grid = self._plan.task, Grid(self._wishes.shape, np.diag([*self._wishes.spacing_mm, 1.0]))
        images = {}
        for key, name in zip(task.image_keys(), task.channels, strict=True):
            how = self._plan.grid.normalization[name]
            mean, sd = (how.mean, how.sd) if how.kind == "fixed" else (100.0, 30.0)
            kind = np.int16 if task.modalities[name] == "CT" else np.float32
            voxels = np.repeat(draw_scan(grid, mean, sd)[None], task.count_components(name), axis=0)
            path = Path(self._folder.name) / f"{name}.nii"
            Volume(voxels.astype(kind), grid, Source(path=str(path))).save(path)
            images[key] = find_image(path)
        return Scan("scan", images)


def draw_scan(grid: Grid, mean: float, sd: float) -> npt.NDArray[np.float32]:
    """A flat ramp with a bright ball, as large as a lesion may be beside its scan, (I, J, K).

    It is nowhere constant, since patches of one value are hardly computed.
    """
    lines = (np.linspace(-1, 1, size, dtype=np.float32) for size in grid.shape)
    i, j, k = np.meshgrid(*lines, sparse=True, indexing="ij")
    ball = i**2 + j**2 + k**2 < BALL**2
    return np.asarray(mean + sd * ((i + j + k) / 10 + ball), dtype=np.float32)


def _make_point_network(plan: Plan) -> nn.Module:
    """One convolution of single voxels: what is bright becomes the last label, and no voxel is near a tie."""
    inputs, outputs = plan.task.count_inputs(), len(plan.task.name_classes())
    layer = nn.Conv3d(inputs, outputs, 1) if plan.network.dims == 3 else nn.Conv2d(inputs, outputs, 1)
    bias = -torch.ones(outputs)
    bias[0] = -1.0 if plan.task.labels.regions else 0.0
    bias[-1] = -0.5
    layer.bias = nn.Parameter(bias)
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.weight[-1], 1 / inputs)
    return layer


class _SmoothNetwork(nn.Module):
    """A network that takes its time, and whose logits are nearly those of one layer of single voxels."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._network = build_network(make_network(plan))
        self._layer = _make_point_network(plan)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._layer(image) + SMALL * self._network(image)
        return logits


def choose_student(timer: Timer, students: Sequence[Plan], wishes: Wishes) -> Timed:
    """The plan with the most work for the scan that needs no more seconds than wanted.

    Args:
        timer: of the scan.
        students: the one with the most work first.
        wishes: how many seconds.

    Raises:
        InputError: none does.
    """
    scan = wishes.shape, wishes.spacing_mm
    what = "timing networks"
    report(what, 0, len(students))
    least = timer.foresee(students[-1])
    if least.seconds > wishes.seconds:
        smallest = describe_network(students[-1])
        beside = least.seconds - least.network_seconds
        found = f"the smallest network ({smallest}) takes {least.seconds:.1f} s for such a scan on this machine, "
        found += f"{beside:.1f} s of them beside the network"
        raise InputError(f"--seconds {wishes.seconds:g}", found, "give it more", code="option-wrong")
    rate = least.network_seconds / estimate_scan(least.plan, *scan)
    for number, plan in enumerate(students[:-1], start=1):
        report(what, number, len(students))
        if estimate_scan(plan, *scan) * rate / FASTER > wishes.seconds:
            continue
        timed = timer.foresee(plan)
        if timed.seconds <= wishes.seconds:
            return timed
    return least
