"""Ordinary scans of which everybody expects a volume, with the truth about each voxel: how little a reader refuses.

They are read like the faults of `medunet.testing.faults`, and judged by the same `judge`:

    for ordinary in ORDINARY:
        scan = ordinary.make()
        scan.write(folder / ordinary.name)
        voxels, affine = read(folder / ordinary.name / ordinary.file, **ordinary.options)
        right = judge([(voxels, affine)], scan).is_right(units=ordinary.tolerance)
"""

from medunet.testing.ordinary.catalogue import ORDINARY, Ordinary

__all__ = ["ORDINARY", "Ordinary"]
