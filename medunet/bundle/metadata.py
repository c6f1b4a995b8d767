"""The bundle's metadata.json, by MONAI's schema of 2024-07-25."""

from collections.abc import Sequence
from importlib import metadata
from typing import Any

from medunet.labels import Label
from medunet.planning import Plan
from medunet.terms import find_terms

SCHEMA = "https://project-monai.github.io/schema/meta_schema_20240725.json"
INFERENCE_PACKAGES = ("pytorch-ignite", "fire")
READING_PACKAGE = {"mm": "nibabel", "px": "pillow"}
"""What MONAI reads NIfTI and PNG with."""


def make_metadata(plan: Plan, name: str) -> dict[str, Any]:
    """Describe a bundle; scores and the hash of the weights are added when it is trained."""
    packages = (READING_PACKAGE[plan.unit], *INFERENCE_PACKAGES)
    return {
        "schema": SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": "planned by medunet"},
        "monai_version": metadata.version("monai"),
        "pytorch_version": metadata.version("torch").split("+")[0],
        "numpy_version": metadata.version("numpy"),
        "required_packages_version": {package: metadata.version(package) for package in packages},
        "name": name,
        "task": f"Segmentation of {', '.join(plan.labels.names)} in {', '.join(plan.modalities.values())}",
        "description": f"A {plan.dims}D U-Net planned and trained by medunet.",
        "authors": "medunet",
        "copyright": "The users of this bundle",
        "intended_use": "Research; not a medical device.",
        "data_type": READING_PACKAGE[plan.unit],
        "segments": {str(label.value): _describe_label(label) for label in plan.labels.labels},
        "network_data_format": _describe_data(plan),
    }


def _describe_data(plan: Plan) -> dict[str, Any]:
    common = {
        "type": "image",
        "spatial_shape": list(plan.patch[: plan.dims]),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": True,
    }
    image = {
        "format": "magnitude",
        "modality": ", ".join(plan.modalities.values()),
        **_number(_describe_inputs(plan)),
    }
    return {
        "inputs": {"image": {**common, **image}},
        "outputs": {"pred": {**common, "format": "segmentation", **_number(plan.name_classes())}},
    }


def _number(channels: Sequence[str]) -> dict[str, Any]:
    return {"num_channels": len(channels), "channel_def": {str(n): name for n, name in enumerate(channels)}}


def _describe_inputs(plan: Plan) -> list[str]:
    """Modality of each input, and its units where they are known: other readers than ours leave a PET in Bq/ml."""
    said = {
        name: f"{plan.modalities[name]} in {plan.units[name]}" if name in plan.units else plan.modalities[name]
        for name in plan.channels
    }
    return [said[name] for name in plan.channels for _ in range(plan.components.get(name, 1))]


def _describe_label(label: Label) -> dict[str, Any]:
    """Name and coded terms, as a DICOM SEG will hold them."""
    category, kind = find_terms(label)
    return {"label": label.name, "category": category.model_dump(), "type": kind.model_dump()}
