"""Masks and images on disk: one format a file, read back and compared before the file gets its name."""

from medunet.writing.formats import choose_formats, find_usual
from medunet.writing.interface import Algorithm, Format, Result
from medunet.writing.nifti import write_image, write_nifti
from medunet.writing.png import write_colour, write_grey, write_picture
from medunet.writing.seg import check_source, write_segmentation

__all__ = [
    "Algorithm",
    "Format",
    "Result",
    "check_source",
    "choose_formats",
    "find_usual",
    "write_colour",
    "write_grey",
    "write_image",
    "write_nifti",
    "write_picture",
    "write_segmentation",
]
