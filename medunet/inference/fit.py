"""Say of scans, without predicting them, whether a bundle takes them and what is unlike its training."""

from functools import partial
from pathlib import Path

from medunet.bundle import Recipe
from medunet.findings import Finding
from medunet.inference.inputs import list_inputs
from medunet.inference.likeness import find_unlike
from medunet.inference.scans import NO_RULES, Scan
from medunet.reading import Image, attempt, check_found, describe_read
from medunet.reading.rules import Rules


def check_fit(path: Path, recipe: Recipe, rules: Rules = NO_RULES, *, each: bool = False) -> list[Finding]:
    """Find and read scans as `predict` would, one at a time, and compare them with those of training.

    Args:
        path: as `list_inputs` takes it.
        recipe: of the bundle.
        rules: which series is a channel, by its name.
        each: as of `list_inputs`.

    Returns:
        What `predict` would refuse, its warnings, and what was read of each channel.
    """
    findings: list[Finding] = []
    for item in list_inputs([path], recipe.task, rules=rules, each=each):
        scan, found = attempt(item.find)
        findings += found if scan is None else [*found, *_check_scan(scan, item.id, recipe)]
    return findings


def _check_scan(scan: Scan, name: str, recipe: Recipe) -> list[Finding]:
    findings: list[Finding] = []
    images = {}
    for channel, image in zip(recipe.task.channels, scan.images.values(), strict=True):
        volume, found = check_found(partial(_take, image))
        findings += found
        if volume is not None:
            findings.append(describe_read(volume))
            images[channel] = volume.voxels, volume.grid
    if len(images) < len(scan.images):
        return findings
    unlike, refused = attempt(lambda: list(find_unlike(images, recipe, name)))
    return [*findings, *(unlike or []), *refused]


def _take(image: Image) -> Image:
    return image
