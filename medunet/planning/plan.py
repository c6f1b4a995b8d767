"""The plan: every number that preparation, network, training and prediction share, and why it is so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from medunet.errors import RecordError
from medunet.measuring.measures import ValueRange
from medunet.planning.memory import Memory
from medunet.planning.rules import Axes, Spacing, Triple
from medunet.postprocessing import PartsPlan, plan_cleaning
from medunet.records import Record, check_record, read_json, suggest
from medunet.task import Task

LossName = Literal["dice_ce", "dice_focal", "tversky_ce"]


class Normalization(Record):
    """How the intensities of one channel become numbers near 0 and 1."""

    kind: Literal["fixed", "each"]
    """fixed: clip to [low, high], subtract mean, divide by sd. each: z-score of every image by itself."""
    low: float = 0.0
    """Lower end of the range that values are clipped to."""
    high: float = 0.0
    """Upper end of it."""
    mean: float = 0.0
    """What is subtracted."""
    sd: float = 1.0
    """What is divided by."""


class GridPlan(Record):
    """What a prepared scan looks like to the network."""

    spacing_mm: Spacing
    """Along the axes of `axes`; 1 for pictures. A 2D network takes slices as they lie along the last."""
    axes: Axes = "RAS"
    """Directions in which the axes of a prepared scan run: RAS (right, front, head), or for a 2D network of coronal or
    sagittal slices RSA or ASR; patch, strides and kernels have the same order."""
    normalization: dict[str, Normalization]
    """How the intensities of each channel become numbers near 0 and 1, by its name."""
    extent_mm: tuple[float, float, float] | None = None
    """Largest extents of the training cases along x, y, z; a scan far beyond them holds what training never saw."""
    values: dict[str, ValueRange] = Field(default_factory=dict)
    """Values of the whole images of training, by channel; a scan of quite other ones isn't in their unit."""
    steps: tuple[dict[str, Any], ...] | None = None
    """MONAI's transforms after loading, as another bundle has them; they stand in place of spacing and normalisation,
    which then only describe what comes of them."""


class GivenNetwork(Record):
    """Another network of MONAI's than medunet's U-Net: one that was asked for, or that of another bundle."""

    definition: dict[str, Any]
    """Its `_target_` and arguments, as MONAI's configurations have them."""
    weights: int = Field(default=0, ge=0)
    """Numbers that it learns; 0 until `medunet plan --write` counted them."""
    patch_bytes: int = Field(default=0, ge=0)
    """Bytes of the features of one patch in a forward pass; 0 until they were counted."""

    @property
    def kind(self) -> str:
        """Its class, like `SegResNet`."""
        return str(self.definition.get("_target_")).rpartition(".")[2]


class NetworkPlan(Record):
    """Shape of the U-Net (MONAI's DynUNet), or another network of MONAI's."""

    dims: Literal[2, 3]
    """Its spatial axes."""
    filters: tuple[int, ...] = ()
    """Features of each level, from the full resolution down."""
    strides: tuple[Triple, ...] = ()
    """Voxels of the level above that become one, along x, y, z, a triple for each level."""
    kernels: tuple[Triple, ...] = ()
    """Size of the convolutions of each level along x, y, z."""
    heads: int = Field(default=0, ge=0)
    """Deep-supervision heads below the full resolution, in training only."""
    residual: bool = False
    """Blocks of two convolutions add what came in."""
    given: GivenNetwork | None = None
    """The other network, which stands in place of the U-Net of `filters`, `strides` and `kernels`."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.given is None) != bool(self.filters):
            raise ValueError("it has either filters, strides and kernels, or given")
        if self.given is not None and self.heads and self.given.kind != "DynUNet":
            raise ValueError(f"a {self.given.kind} has no place for heads of deep supervision, write 0")
        return self

    def describe(self) -> str:
        """Name it: `3D U-Net`, or by its class `3D SegResNet`."""
        return f"{self.dims}D {self.given.kind if self.given else 'U-Net'}"


class Speed(Record):
    """How fast a machine trains, and how."""

    device: str
    """cpu, or the name of the GPU."""
    steps_per_second: float = Field(gt=0.0)
    """Training steps a second."""
    precision: str
    """Number format in which the network computes: bfloat16 where the hardware computes in it, else float32."""
    channels_last: bool
    """Memory layout of features."""
    threads: int
    """Threads with which torch computed."""


class Teacher(Record):
    """Whose probabilities a network learns beside the labels."""

    name: str
    """Name of the bundle."""
    version: str
    """Its version."""
    weights_sha256: str
    """SHA-256 of its weights, of an ensemble of the hashes of all."""
    weight: float = Field(default=1.0, gt=0.0)
    """Of what it teaches, where the loss of the labels has 1."""
    unlabelled: int = Field(default=0, ge=0)
    """Scans of nobody's cohort, of which it alone tells."""


class TimedScan(Record):
    """A scan of a stated size, and what it takes where somebody measured it."""

    shape: Triple
    """Voxels along x, y, z."""
    spacing_mm: Spacing
    """Of a voxel, along x, y, z."""
    wanted_seconds: float = Field(gt=0.0)
    """That a prediction may take: reading, network, way back, and writing the mask."""
    foreseen_seconds: float = Field(gt=0.0)
    """From windows and stages that were timed one by one, when the network was chosen."""
    seconds: float = Field(gt=0.0)
    """Of one prediction by a network of this plan."""
    teacher_seconds: float = Field(gt=0.0)
    """Of one by one network of the teacher, computed alike."""
    network_seconds: float = Field(gt=0.0)
    """Of all patches in the network alone, as it was timed by the patch."""
    teacher_network_seconds: float = Field(gt=0.0)
    """The same of one network of the teacher."""
    computed: str
    """By what, and how."""
    cores: int
    """That were there."""

    def describe(self) -> str:
        """Sizes and seconds, in words."""
        size, spacing = (" × ".join(f"{value:g}" for value in values) for values in (self.shape, self.spacing_mm))
        seconds = f"{self.seconds:g} s measured ({self.network_seconds:g} s of them in the network)"
        teacher = f"one network of the teacher {self.teacher_seconds:g} s ({self.teacher_network_seconds:g} s)"
        told = f"{self.wanted_seconds:g} s wanted, {self.foreseen_seconds:g} s foreseen, {seconds}, {teacher}"
        return f"{size} voxels of {spacing} mm: {told}, {self.computed}, on {self.cores} cores"


TRAINING_SHARE = 0.8
"""Share of the budget that goes into training steps; the rest goes into preparation and validation."""


class WindowPlan(Record):
    """What the network sees at once, in training and in prediction."""

    patch: Triple
    """Voxels along the axes of the grid; x, y, z but for slices that aren't axial."""
    overlap: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Share of a patch that its neighbour covers too, in prediction."""
    mode: Literal["gaussian", "constant"] = "gaussian"
    """Weights of a patch's voxels where patches overlap: a Gaussian around its centre, or all alike."""


class TrainingPlan(Record):
    """How the network learns."""

    batch: int = Field(ge=1)
    """Patches of a step."""
    foreground_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of a batch, rounded up, whose patches hold a voxel of a label."""
    loss: LossName | dict[str, Any] = "dice_ce"
    """dice_ce: Dice and cross-entropy. dice_focal: voxels that are right already count less. tversky_ce: what is missed
    costs more than what is too much. Or the `_target_` of one of MONAI's losses and its arguments."""
    optimizer: Literal["muon", "adamw", "sgd"] = "muon"
    """muon: kernels by orthogonalized momentum, the rest by AdamW. sgd: Nesterov's momentum."""
    learning_rate: float = Field(gt=0.0)
    """At the start; of all but kernels with muon, whose is 2.5 times that."""
    longest_gradient: float | None = Field(default=None, gt=0.0)
    """Euclidean length to which the gradient of all weights is shortened; None leaves it."""
    budget_minutes: float = Field(gt=0.0)
    """Training time that the network was chosen for."""
    partial: bool = False
    """Some cases tell of some labels only: in these a voxel of none may be of any label that nobody looked for."""
    surroundings: tuple[str, ...] = ()
    """Channels, CTs that were cut out of their surroundings, around whose body couches, sheets and noise are drawn."""
    augmentation: tuple[dict[str, Any], ...] = ()
    """MONAI's transforms of `image` and `label` of a patch, as `_target_` and arguments, after those of medunet."""
    teacher: Teacher | None = None
    """Another bundle, whose probabilities are learnt beside the labels."""
    seed: int = 0
    """Number from which everything random in training follows."""


class Foreseen(Record):
    """What the plan was made to fit, and what it will take on the machine that planned."""

    memory: Memory | None = None
    """What it may take."""
    peak_gib: dict[str, float] = Field(default_factory=dict)
    """Predicted peak memory of each stage with the largest case: of the RAM in `measure`, `prepare`, `train`, `predict`
    (loader's processes not counted), of a GPU in `train_vram`, `predict_vram`."""
    step_seconds: float | None = Field(default=None, gt=0.0)
    """Seconds of one training step on the machine that planned."""
    speed: Speed | None = None
    """Measured where it was planned."""
    scan: TimedScan | None = None
    """What the network was made small for."""


class Plan(Record):
    """What preparation, network, training and prediction share, a group for each question.

    Normalisation belongs to the grid: both say what a prepared scan is, and both are parts of one chain of
    transforms, which network and training take as it is.
    """

    version: Literal[2] = 2
    """Version of this record."""
    task: Task
    """What is segmented."""
    grid: GridPlan
    """What a scan is made into first."""
    network: NetworkPlan
    window: WindowPlan
    """What the network sees at once."""
    training: TrainingPlan
    decision: PartsPlan = PartsPlan()
    """What is left out of a prediction."""
    foreseen: Foreseen = Foreseen()
    """Memory and time."""
    source: str = ""
    """Name of the bundle whose chain, network and window these are; empty where medunet chose them."""
    reasons: dict[str, str]
    """Why each number is what it is, with its source, by the number's own name."""

    @model_validator(mode="after")
    def _parts_are_of_labels(self) -> Self:
        if self.decision != PartsPlan():
            if self.task.labels.objects and self.decision.smallest:
                raise ValueError("decision.smallest is task.objects.smallest where labels number objects")
            plan_cleaning(self.decision, self.task.labels)
        return self

    @property
    def seed(self) -> int:
        """The seed of the training; every `train.json` names it by this path."""
        return self.training.seed

    def change(self, **groups: Mapping[str, Any]) -> Self:
        """This plan with other values in some of its groups.

        Args:
            groups: by name of the group, its new values by their names; what isn't named stays.

        Raises:
            ValueError: a group has no such value.
        """
        update: dict[str, Any] = {}
        for name, values in groups.items():
            group = getattr(self, name)
            if not isinstance(group, Record):
                update[name] = {**group, **values}
                continue
            if unknown := set(values) - set(type(group).model_fields):
                raise ValueError(f"{name} of a plan has no {sorted(unknown)[0]}")
            update[name] = group.model_copy(update=dict(values))
        return self.model_copy(update=update)

    def with_step(self, seconds: float) -> Self:
        """This plan with what one training step was measured to take, in seconds to three digits."""
        return self.change(foreseen={"step_seconds": float(f"{seconds:.3g}")})

    def count_taught(self) -> int:
        """Probabilities of a voxel that a teacher tells; that of the background is what the others leave."""
        if self.training.teacher is None:
            return 0
        return len(self.task.name_classes()) - (0 if self.task.labels.regions else 1)

    def count_steps(self) -> int:
        """Steps that the budget holds on the machine that planned; 0 where none was timed."""
        seconds = self.foreseen.step_seconds
        return int(self.training.budget_minutes * 60 * TRAINING_SHARE / seconds) if seconds else 0


GROUPS_OF_FLAT = {
    **dict.fromkeys(("channels", "modalities", "labels", "unit", "components", "units", "objects"), "task"),
    **dict.fromkeys(("spacing_mm", "normalization", "extent_mm"), "grid"),
    "dims": "network",
    **dict.fromkeys(("patch", "overlap"), "window"),
    **dict.fromkeys(("batch", "foreground_share", "loss", "optimizer", "learning_rate"), "training"),
    **dict.fromkeys(("longest_gradient", "budget_minutes", "seed"), "training"),
    **dict.fromkeys(("memory", "peak_gib", "step_seconds", "speed"), "foreseen"),
}
"""In which group of a plan each key of version 1 stands now; `network` and `reasons` were groups already."""
FLAT_KEYS = ("version", "network", "reasons", *GROUPS_OF_FLAT)


def read_plan(path: Path) -> Plan:
    """Read a `plan.json` of version 2, or of version 1, which had no groups.

    Raises:
        MissingInputError: there is no such file.
        RecordError: it is no JSON, or a key is unknown, absent or of the wrong kind; the first such key is named.
    """
    value = read_json(path)
    if isinstance(value, dict):
        version = value.get("version", 2 if "task" in value else 1)
        if version not in (1, 2):
            raise RecordError(path, f"it is of version {version!r}, medunet knows 1 and 2", "take a newer medunet")
        if version == 1:
            value = group_flat(value, str(path))
    return check_record(value, Plan, str(path))


def group_flat(flat: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """The values of a plan of version 1 in the groups of version 2, as plain Python types that aren't checked yet.

    Args:
        flat: as in `plan.json`.
        subject: the file, for the message.

    Raises:
        RecordError: a key is unknown.
    """
    for key in flat:
        if key not in FLAT_KEYS:
            raise RecordError(subject, f"the key '{key}' is unknown", suggest(key, list(FLAT_KEYS)))
    network = flat.get("network", {})
    grouped: dict[str, Any] = {
        **{name: {} for name in ("task", "grid", "window", "training", "foreseen")},
        "network": dict(network) if isinstance(network, Mapping) else network,
    }
    for key, value in flat.items():
        if (group := GROUPS_OF_FLAT.get(key)) and isinstance(grouped[group], dict):
            grouped[group][key] = value
    return {**grouped, **({"reasons": flat["reasons"]} if "reasons" in flat else {})}
