"""The plan: every number that preparation, network, training and prediction share, and why it is so."""

from typing import Literal, Self

from pydantic import Field

from medunet.geometry import Unit
from medunet.labels import LabelTable
from medunet.planning.memory import Memory
from medunet.planning.rules import Triple
from medunet.records import Record


class Normalization(Record):
    """How the intensities of one channel become numbers near 0 and 1."""

    kind: Literal["fixed", "each"]
    """fixed: clip to [low, high], subtract mean, divide by sd. each: z-score of every image by itself."""
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    sd: float = 1.0


class NetworkPlan(Record):
    """Shape of the U-Net (MONAI's DynUNet)."""

    filters: tuple[int, ...]
    strides: tuple[Triple, ...]
    kernels: tuple[Triple, ...]
    heads: int
    """Deep-supervision heads below the full resolution, in training only."""
    residual: bool = False
    """Blocks of two convolutions add what came in."""


class ObjectsPlan(Record):
    """How objects that touch are kept apart: the network learns interior and border in place of the label."""

    border: int = Field(ge=1)
    """Voxels within which another object makes border."""
    smallest: float = Field(ge=0.0)
    """Size below which what is found is no object; in mL, or in voxels where the images have no physical size."""


class Speed(Record):
    """How fast a machine trains, and how."""

    device: str
    """cpu, or the name of the GPU."""
    steps_per_second: float = Field(gt=0.0)
    precision: str
    """Of the network: bfloat16 where the hardware computes in it, else float32."""
    channels_last: bool
    """Memory layout of features."""
    threads: int
    """Of torch."""


TRAINING_SHARE = 0.8
"""Of the budget; the rest goes into preparation and validation."""


def name_keys(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of channels in MONAI's dictionaries: `image` for a single one, as Deploy's operator needs."""
    return channels if len(channels) > 1 else ("image",)


class Plan(Record):
    """What all parts of medunet share."""

    version: Literal[1] = 1
    dims: Literal[2, 3]
    channels: tuple[str, ...]
    modalities: dict[str, str]
    labels: LabelTable
    unit: Unit = "mm"
    """"px" for pictures: images without a physical size, which are not resampled."""
    components: dict[str, int] = Field(default_factory=dict)
    """Components of a file of each channel, 1 where not named; a grey picture is repeated where it is 3."""
    units: dict[str, str] = Field(default_factory=dict)
    """Of the values of each channel (HU, SUVbw, …), where the cohort's files say so; files in others are refused."""
    spacing_mm: tuple[float, float, float]
    """Grid of the network, along x, y, z (RAS); 1 for pictures. A 2D network takes slices as they lie along z."""
    normalization: dict[str, Normalization]
    patch: Triple
    """Voxels along x, y, z."""
    batch: int = Field(ge=1)
    network: NetworkPlan
    overlap: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Of neighbouring patches in prediction."""
    foreground_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of a batch, rounded up, whose patches hold a voxel of a label."""
    loss: Literal["dice_ce", "dice_focal", "tversky_ce"] = "dice_ce"
    """dice_ce: Dice and cross-entropy. dice_focal: voxels that are right already count less. tversky_ce: what is missed
    costs more than what is too much."""
    optimizer: Literal["muon", "adamw", "sgd"] = "muon"
    """muon: kernels by orthogonalized momentum, the rest by AdamW. sgd: Nesterov's momentum."""
    learning_rate: float = Field(gt=0.0)
    """At the start; of all but kernels with muon, whose is 2.5 times that."""
    longest_gradient: float | None = Field(default=None, gt=0.0)
    """Euclidean length to which the gradient of all weights is shortened; None leaves it."""
    budget_minutes: float = Field(gt=0.0)
    """Training time that the network was chosen for."""
    extent_mm: tuple[float, float, float] | None = None
    """Largest extents of the training cases along x, y, z; a scan far beyond them holds what training never saw."""
    step_seconds: float | None = Field(default=None, gt=0.0)
    """Of one training step on the machine that planned."""
    memory: Memory | None = None
    """What it may take."""
    peak_gib: dict[str, float] = Field(default_factory=dict)
    """Predicted peak memory of each stage with the largest case: of the RAM in `measure`, `prepare`, `train`, `predict`
    (loader's processes not counted), of a GPU in `train_vram`, `predict_vram`."""
    speed: Speed | None = None
    """Measured where it was planned."""
    objects: ObjectsPlan | None = None
    """Where labels number objects; without it connected parts of the label are the objects."""
    seed: int = 0
    reasons: dict[str, str]
    """Why each number is what it is, with its source."""

    def image_keys(self) -> tuple[str, ...]:
        """Names of the channels in MONAI's dictionaries."""
        return name_keys(self.channels)

    def count_inputs(self) -> int:
        """Inputs of the network: the components of all channels."""
        return sum(self.components.get(name, 1) for name in self.channels)

    def with_step(self, seconds: float) -> Self:
        """This plan with what one training step was measured to take, in seconds to three digits."""
        return self.model_copy(update={"step_seconds": float(f"{seconds:.3g}")})

    def count_steps(self) -> int:
        """Steps that the budget holds on the machine that planned; 0 where none was timed."""
        return int(self.budget_minutes * 60 * TRAINING_SHARE / self.step_seconds) if self.step_seconds else 0

    def name_classes(self) -> tuple[str, ...]:
        """What the outputs of the network are: regions, or background and labels, or interior and border of objects."""
        regions = tuple(region.name for region in self.labels.regions)
        return regions or ("background", *(("interior", "border") if self.objects else self.labels.names))
