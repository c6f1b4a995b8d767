"""Made-up CT patients with lesions, as arrays and as DICOM: for tests, demonstrations and measurements.

`make_patient` makes one patient, `draw_cohort` many that differ, `write_patient` and `make_cohort` write them as a CT
series with an RT structure set. `write_ct` and `write_contours` write any array in the same way. Equal arguments give
equal bytes; nothing stems from a person.
"""

from medunet.testing.phantoms.dicom import Identity, make_uid, trace_loops, write_contours, write_ct
from medunet.testing.phantoms.patients import (
    Phantom,
    PhantomSize,
    draw_cohort,
    make_cohort,
    make_patient,
    write_patient,
)

__all__ = [
    "Identity",
    "Phantom",
    "PhantomSize",
    "draw_cohort",
    "make_cohort",
    "make_patient",
    "make_uid",
    "trace_loops",
    "write_contours",
    "write_ct",
    "write_patient",
]
