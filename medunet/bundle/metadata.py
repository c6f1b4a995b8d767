"""The bundle's metadata.json: a record by MONAI's schema of 2024-07-25, which allows further keys."""

import secrets
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Annotated, Any, Literal

from pydantic import Field

from medunet.bundle.seen import TrustFacts
from medunet.cohort import salt_hashes
from medunet.labels import CodedTerm, Label
from medunet.networks import list_packages
from medunet.planning import Plan, Teacher, TimedScan
from medunet.postprocessing import PartsPlan
from medunet.records import Record
from medunet.task import Task
from medunet.terms import find_terms

SCHEMA = "https://project-monai.github.io/schema/meta_schema_20240725.json"
INFERENCE_PACKAGES = ("pytorch-ignite", "fire")
READING_PACKAGE = {"mm": "nibabel", "px": "pillow"}
"""What MONAI reads NIfTI and PNG with."""
CLEANING_PACKAGE = {"scikit-image": "0.26.0"}
"""What MONAI finds connected parts with, and the version that was tested; medunet itself doesn't need it."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Number = Annotated[int, Field(strict=True, ge=0)]

FOUND_LITTLE = 0.1
"""Mean Dice of held-out cases below which masks are told to mean little."""


class Segment(Record):
    """What a label value means, as a DICOM SEG will hold it."""

    label: str
    """Its name."""
    category: CodedTerm
    """What kind of thing the label is, as a coded term."""
    type: CodedTerm
    """What it is, as a coded term."""


class OpenRecord(Record, extra="allow"):
    """A record whose unknown keys are kept as they are."""

    def to_json(self) -> dict[str, Any]:
        """What stands in the file: every key that was given, none that wasn't."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class TrainingFacts(OpenRecord):
    """What training came to; of an ensemble a value for each fold, but for minutes and cases, which are of all."""

    fold: Number | Literal["all"]
    """Whose patients were held out, or all of an ensemble."""
    epochs: Number | tuple[Number, ...] = 0
    """Epochs that were trained."""
    steps: Number | tuple[Number, ...] = 0
    """Steps that were trained."""
    minutes: float = 0.0
    """Minutes that it took."""
    validation_dice: float | tuple[float | None, ...] | None = None
    """Mean Dice of the held-out patients, on the grid of the network, of the weights that were kept."""
    cases: Number = 0
    """Trained on; of an ensemble those of the cohort."""
    held_out_cases: Number = 0
    """Cases of the held-out patients."""
    peak_memory_gib: dict[str, float] = Field(default_factory=dict)
    """What each stage took at most."""

    def count_steps(self) -> int:
        """Steps of the network, or of those of all folds together."""
        return sum(self.steps) if isinstance(self.steps, tuple) else self.steps


class TrainingImages(OpenRecord):
    """What tells whether an image was one of training, without a name, a path or a voxel of it."""

    salt: str
    """Text of this bundle alone that every hash begins with."""
    hashes: tuple[Sha256, ...]
    """SHA-256 of the salt and of the hash of each image: of its voxels in RAS order with their spacing."""


class Metadata(OpenRecord):
    """metadata.json: the keys that medunet or MONAI's schema know are checked, others are kept as they are."""

    schema_: str | None = Field(default=None, alias="schema")
    """Where MONAI's schema lies."""
    version: str | None = None
    """Version of the bundle."""
    changelog: dict[str, str] = Field(default_factory=dict)
    """What each version of the bundle brought."""
    monai_version: str | None = None
    """Version of MONAI that it was made with."""
    pytorch_version: str | None = None
    """Version of torch that it was made with."""
    numpy_version: str | None = None
    """Version of numpy that it was made with."""
    required_packages_version: dict[str, str] = Field(default_factory=dict)
    """What inference needs beside MONAI, torch and numpy."""
    name: str | None = None
    """Name of the bundle."""
    task: str | None = None
    """What the bundle does, in words."""
    description: str | None = None
    """What it is."""
    authors: str | None = None
    """Who made it."""
    copyright: str | None = None
    """Whose it is."""
    intended_use: str | None = None
    """What it is for, and what it isn't."""
    data_type: str | None = None
    """What MONAI alone reads its images with."""
    segments: dict[str, Segment] = Field(default_factory=dict)
    """Name and coded terms of each label, by its value."""
    network_data_format: dict[str, Any] = Field(default_factory=dict)
    """Inputs and outputs of the network, in the words of MONAI's schema."""
    weights_sha256: Sha256 | None = None
    """SHA-256 of `models/model.pt`, or of the hashes of all folds of an ensemble; None before training."""
    training: TrainingFacts | None = None
    """What training came to."""
    training_images: TrainingImages | None = None
    """Hashes of the images that it was trained on; None in bundles of earlier versions, and before training."""
    trust: TrustFacts | None = None
    """What the column `trust` of predictions was made by and how well it does; None where nobody measured it."""
    teacher: Teacher | None = None
    """The bundle that taught it beside the labels; None where none did."""
    timed_scan: TimedScan | None = None
    """The scan that its network was made small for; None of any other."""
    fold_weights: dict[str, Sha256] = Field(default_factory=dict)
    """SHA-256 of each file of weights of an ensemble, one a fold, by its name."""

    @property
    def weight_hashes(self) -> dict[str, str]:
        """SHA-256 of each file of weights by its name, of one network or of all folds; "" before training."""
        return dict(self.fold_weights) or {"model.pt": self.weights_sha256 or ""}


def hide_images(hashes: Iterable[str]) -> dict[str, Any]:
    """The `training_images` of metadata.json of images with these hashes, with a salt that was never used before."""
    salt = secrets.token_hex(16)
    return {"salt": salt, "hashes": list(salt_hashes(hashes, salt))}


def make_metadata(plan: Plan, name: str) -> Metadata:
    """Describe a bundle; scores and the hash of the weights are added when it is trained."""
    task = plan.task
    given = list_packages(plan.network.given.definition) if plan.network.given else ()
    packages = (READING_PACKAGE[task.unit], *INFERENCE_PACKAGES, *given)
    names = [region.name for region in task.labels.structures]
    of_students = {"teacher": plan.training.teacher, "timed_scan": plan.foreseen.scan}
    further: dict[str, Any] = {key: value for key, value in of_students.items() if value is not None}
    return Metadata(
        schema=SCHEMA,
        version="0.1.0",
        changelog={"0.1.0": "planned by medunet"},
        monai_version=metadata.version("monai"),
        pytorch_version=metadata.version("torch").split("+")[0],
        numpy_version=metadata.version("numpy"),
        required_packages_version={
            **{package: metadata.version(package) for package in packages},
            **(CLEANING_PACKAGE if plan.decision != PartsPlan() else {}),
        },
        name=name,
        task=f"Segmentation of {', '.join(names)} in {', '.join(task.modalities.values())}",
        description=f"A {plan.network.describe()} planned and trained by medunet{_tell_teacher(plan)}.",
        authors="medunet",
        copyright="The users of this bundle",
        intended_use="Research; not a medical device.",
        data_type=READING_PACKAGE[task.unit],
        segments={str(label.value): _describe_label(label) for label in task.labels.labels},
        network_data_format=_describe_data(plan),
        **further,
    )


def _tell_teacher(plan: Plan) -> str:
    teacher = plan.training.teacher
    return f", a student of {teacher.name} {teacher.version}" if teacher else ""


def _describe_data(plan: Plan) -> dict[str, Any]:
    task = plan.task
    common = {
        "type": "image",
        "spatial_shape": list(plan.window.patch[: plan.network.dims]),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": True,
    }
    image = {
        "format": "magnitude",
        "modality": ", ".join(task.modalities.values()),
        **_number(_describe_inputs(task)),
    }
    return {
        "inputs": {"image": {**common, **image}},
        "outputs": {"pred": {**common, "format": "segmentation", **_number(task.name_classes())}},
    }


def _number(channels: Sequence[str]) -> dict[str, Any]:
    return {"num_channels": len(channels), "channel_def": {str(n): name for n, name in enumerate(channels)}}


def _describe_inputs(task: Task) -> list[str]:
    """Modality of each input, and its units where they are known: other readers than ours leave a PET in Bq/ml."""
    said = {
        name: f"{task.modalities[name]} in {task.units[name]}" if name in task.units else task.modalities[name]
        for name in task.channels
    }
    return [said[name] for name in task.channels for _ in range(task.count_components(name))]


def _describe_label(label: Label) -> Segment:
    category, kind = find_terms(label)
    return Segment(label=label.name, category=category, type=kind)
