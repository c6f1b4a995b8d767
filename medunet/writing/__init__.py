"""Masks on disk: one format a file, read back and compared before the file gets its name."""

from medunet.writing.nifti import write_nifti
from medunet.writing.pictures import write_picture

MASK_ENDINGS = {"mm": ".nii.gz", "px": ".png"}
"""End of a mask's name by the unit of its grid."""

__all__ = ["MASK_ENDINGS", "write_nifti", "write_picture"]
