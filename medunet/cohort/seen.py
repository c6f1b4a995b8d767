"""Tell whether an image was among those of training, by hashes that name nobody.

The hash is of voxels as they are read, in RAS order, with their spacing: a DICOM series and a NIfTI file made of it
agree. In a bundle lies that of the hash with a salt of the bundle's own, so that two bundles can't be compared.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from medunet.geometry import Affine, Grid

STEPS, ODD = 20, 0.237
"""Steps of a spacing in a millimetre, and what keeps usual spacings off their bounds, where rounding would decide."""


def hash_image(voxels: npt.NDArray[np.generic], affine: Affine) -> str:
    """SHA-256 of an image.

    Args:
        voxels: (C, I, J, K), or (C, I, J) of a picture; as float32 they count.
        affine: (4, 4), voxels to RAS mm, or to pixels.
    """
    whole = voxels if voxels.ndim == 4 else voxels[..., None]
    i, j, k = whole.shape[1:]
    axes = Grid((i, j, k), affine).nearest_axes()
    back = [number for number, axis in enumerate(axes) if affine[number, axis] < 0]
    turned = np.flip(whole.transpose(*(axis + 1 for axis in axes), 0), tuple(back))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)[list(axes)]
    digest = hashlib.sha256(f"{turned.shape} {np.floor(spacing * STEPS + ODD).astype(int).tolist()}".encode())
    for plane in turned:
        # Adding 0 makes -0 the 0 that it equals.
        digest.update((np.ascontiguousarray(plane, dtype="<f4") + np.float32(0)).data)
    return digest.hexdigest()


def salt_hashes(hashes: Iterable[str], salt: str) -> tuple[str, ...]:
    """The hashes of images as they lie in a bundle: salted, each once, in an order that tells nothing."""
    return tuple(sorted({hashlib.sha256(f"{salt} {digest}".encode()).hexdigest() for digest in hashes}))
