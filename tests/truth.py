"""What a reader without a fault would make of a scan: the truth of its slices as one array."""

import numpy as np

from medunet.testing.faults import Scan


def assemble(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """The slices of the first group, without copies and localizers, in the order of their place.

    Returns:
        Values (I, J, K), and the affine to RAS+ mm that fits the corners of all slices best.
    """
    group = scan.slices[0].group
    normal = scan.slices[0].normal
    found = [item for item in scan.slices if item.group == group and not item.extra]
    slices = sorted(found, key=lambda item: float(item.position @ normal))
    voxels = np.stack([item.values.T for item in slices], axis=-1)
    columns, rows, _ = voxels.shape
    corners = [(i, j, k, 1) for k in range(len(slices)) for j in (0, rows - 1) for i in (0, columns - 1)]
    places = np.concatenate([item.corners() for item in slices])
    fitted = np.linalg.lstsq(np.array(corners, float), places, rcond=None)[0].T
    return voxels, np.vstack([fitted, [0, 0, 0, 1]])
