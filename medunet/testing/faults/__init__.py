"""DICOM series that are odd or wrong, with the truth about each voxel: what readers of DICOM are tested with.

Every fault in `FAULTS` spoils, or only changes, a clean series of nine slices. It says what must come of it, and
`judge` compares what a reader made of it with the truth, whatever order and axes the reader chose:

    for fault in FAULTS:
        scan = fault.make("oblique")
        scan.write(folder / fault.code)
        try:
            voxels, affine = read(folder / fault.code)  # of the reader under test: (I, J, K), and voxels to RAS+ mm
        except ReadError:
            print(fault.code, fault.name, "refused")
        else:
            right = judge([(voxels, affine)], scan).is_right(units=max(fault.tolerance, 0.01))
            print(fault.code, fault.name, fault.expected, "right" if right else "WRONG")

`draw_pairs` combines faults, `damage` spoils the bytes of any file. The functions that faults are made of lie in
`edits`, `places`, `values` and `coding`; with them and `make_scan` others are made.
"""

from medunet.testing.faults.catalogue import EXACT, FAULTS, RECORDED, REFUSED, Expected, Fault
from medunet.testing.faults.edits import Edit, combine
from medunet.testing.faults.mutations import damage
from medunet.testing.faults.pairs import combine_faults, draw_pairs
from medunet.testing.faults.scans import ORIENTATIONS, Scan, Slice, make_scan
from medunet.testing.faults.verdicts import Verdict, Volumes, judge

__all__ = [  # noqa: RUF022 - in plain order, as everywhere, which constants would leave
    "EXACT",
    "Edit",
    "Expected",
    "FAULTS",
    "Fault",
    "ORIENTATIONS",
    "RECORDED",
    "REFUSED",
    "Scan",
    "Slice",
    "Verdict",
    "Volumes",
    "combine",
    "combine_faults",
    "damage",
    "draw_pairs",
    "judge",
    "make_scan",
]
