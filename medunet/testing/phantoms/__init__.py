"""Made-up CT patients with lesions, as arrays and as DICOM: for tests, demonstrations and measurements.

`make_patient` makes one patient, `draw_cohort` many that differ, `write_patient` and `make_cohort` write them as a CT
series with an RT structure set. `make_head_and_neck` makes a head and neck with seven organs, which networks trained on
patients know, `write_head_and_neck` writes it. `write_ct` and `write_contours` write any array in the same way. Equal
arguments give equal bytes; nothing stems from a person.
"""

from medunet.testing.phantoms.dicom import Identity, make_uid, trace_loops, write_contours, write_ct
from medunet.testing.phantoms.head_and_neck import HeadAndNeck, make_head_and_neck, write_head_and_neck
from medunet.testing.phantoms.patients import (
    Phantom,
    PhantomSize,
    draw_cohort,
    make_cohort,
    make_patient,
    write_patient,
)

__all__ = [
    "HeadAndNeck",
    "Identity",
    "Phantom",
    "PhantomSize",
    "draw_cohort",
    "make_cohort",
    "make_head_and_neck",
    "make_patient",
    "make_uid",
    "trace_loops",
    "write_contours",
    "write_ct",
    "write_head_and_neck",
    "write_patient",
]
