"""Masks and images on disk: one format a file, read back and compared before the file gets its name."""

from medunet.writing.nifti import write_image, write_nifti
from medunet.writing.png import write_colour, write_grey, write_picture
from medunet.writing.seg import Algorithm, check_source, write_segmentation

__all__ = [
    "Algorithm",
    "check_source",
    "write_colour",
    "write_grey",
    "write_image",
    "write_nifti",
    "write_picture",
    "write_segmentation",
]
