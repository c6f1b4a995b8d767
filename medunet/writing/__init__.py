"""Masks and images on disk: one format a file, read back and compared before the file gets its name."""

from medunet.algorithms import Algorithm
from medunet.writing.formats import add_beside, choose_formats, find_usual
from medunet.writing.interface import Format, Probabilities, Result, check_nothing, list_channels
from medunet.writing.measures import list_rows, write_measures, write_table
from medunet.writing.nifti import write_image, write_nifti
from medunet.writing.png import write_colour, write_grey, write_picture
from medunet.writing.probabilities import write_probabilities
from medunet.writing.seg import check_source, omit_empty_frames, write_segmentation

__all__ = [
    "Algorithm",
    "Format",
    "Probabilities",
    "Result",
    "add_beside",
    "check_nothing",
    "check_source",
    "choose_formats",
    "find_usual",
    "list_channels",
    "list_rows",
    "omit_empty_frames",
    "write_colour",
    "write_grey",
    "write_image",
    "write_measures",
    "write_nifti",
    "write_picture",
    "write_probabilities",
    "write_segmentation",
    "write_table",
]
