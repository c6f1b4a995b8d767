"""From the logits of patches to the logits of the whole prepared volume."""

import torch
from monai.data.utils import compute_importance_map

from medunet.inference.backends import Backend
from medunet.preparation import Start, place_patches
from medunet.progress import track

AT_ONCE = 2
"""Patches in one call: on a CPU with AVX2 torch takes 2 to 15 times longer for one 3D patch than for two together."""


def assemble_logits(
    image: torch.Tensor, backend: Backend, patch: tuple[int, int, int], overlap: float, what: str
) -> torch.Tensor:
    """Run a backend over all patches and add their logits up, weighted by MONAI's Gaussian.

    Args:
        image: (C, I, J, K) float32; padded with 0 where it is smaller than the patch, as MONAI does.
        backend: computes logits.
        patch: voxels (I, J, K).
        overlap: of neighbouring patches.
        what: name of the work for the progress.

    Returns:
        (classes, I, J, K) float32.
    """
    padded, offset = _pad(image, patch)
    weight = compute_importance_map(patch, mode="gaussian", sigma_scale=0.125)
    weight = weight.clamp(min=max(float(weight.min()), 1e-3)).float()
    starts = place_patches(tuple(padded.shape[1:]), patch, overlap)
    logits: torch.Tensor | None = None
    total = torch.zeros(padded.shape[1:])
    for group in track(_in_groups(starts), what, -(-len(starts) // AT_ONCE)):
        boxes = [tuple(slice(s, s + n) for s, n in zip(start, patch, strict=True)) for start in group]
        # A lone 3D patch is computed twice rather than alone.
        inputs = [padded[(slice(None), *box)] for box in (boxes if patch[2] == 1 else (boxes + boxes)[:AT_ONCE])]
        scores = backend.run(torch.stack(inputs))
        if logits is None:
            logits = torch.zeros((scores.shape[1], *padded.shape[1:]))
        for box, score in zip(boxes, scores, strict=False):
            logits[(slice(None), *box)] += score * weight
            total[box] += weight
    if logits is None:
        raise ValueError("a volume has at least one patch")
    logits /= total
    inner = tuple(slice(o, o + n) for o, n in zip(offset, image.shape[1:], strict=True))
    return logits[(slice(None), *inner)]


def _in_groups(starts: list[Start]) -> list[list[Start]]:
    return [starts[n : n + AT_ONCE] for n in range(0, len(starts), AT_ONCE)]


def _pad(image: torch.Tensor, patch: tuple[int, int, int]) -> tuple[torch.Tensor, list[int]]:
    missing = [max(size - n, 0) for size, n in zip(patch, image.shape[1:], strict=True)]
    if not any(missing):
        return image, [0, 0, 0]
    before = [m // 2 for m in missing]
    shape = [n + m for n, m in zip(image.shape[1:], missing, strict=True)]
    padded = torch.zeros((image.shape[0], *shape), dtype=image.dtype)
    inner = tuple(slice(b, b + n) for b, n in zip(before, image.shape[1:], strict=True))
    padded[(slice(None), *inner)] = image
    return padded, before
