"""What others test their programs with: made-up scans with known content, and faulty ones with known answers.

Nothing lies here itself, so that each folder loads what it needs and no more: `medunet.testing.phantoms` has made-up
patients, `medunet.testing.faults` has DICOM series that are odd or wrong, with what a reader should make of each,
`medunet.testing.ordinary` has scans that every reader should read, `medunet.testing.backends` has what every backend
must do. No other part of medunet imports them.
"""

__all__: list[str] = []
