"""Where the patches of a sliding window lie: pure arithmetic."""

from itertools import product

Start = tuple[int, int, int]


def place_patches(shape: tuple[int, ...], patch: tuple[int, ...], overlap: float) -> list[Start]:
    """First voxels of patches that cover a volume, at the places where MONAI's sliding window has them.

    Neighbours start `patch × (1 - overlap)` apart, rounded down; the last of an axis ends with the volume.

    Args:
        shape: voxels (I, J, K), none smaller than the patch.
        patch: voxels (I, J, K).
        overlap: share of a patch, 0 to below 1.
    """
    axes = []
    for length, size in zip(shape, patch, strict=True):
        step = max(1, int(size * (1 - overlap))) if size < length else size
        count = max(1, -(-(length - size) // step) + 1)
        axes.append([min(n * step, length - size) for n in range(count)])
    return [(i, j, k) for i, j, k in product(*axes)]
