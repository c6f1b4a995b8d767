"""Any path to a volume or a mask on its grid, or to one sentence that says why not."""

from medunet.reading.archives import unpack_archives, unpack_beside
from medunet.reading.check import attempt, check_contours, check_folder, check_image
from medunet.reading.contours import rasterize, read_contours
from medunet.reading.findings import Finding, Severity, describe_error, listening, make_finding
from medunet.reading.label_files import LabelFile, find_modality, read_label_file
from medunet.reading.options import ReadOptions
from medunet.reading.pictures import read_indices
from medunet.reading.segmentations import read_segmentation
from medunet.reading.series import Findings, Series, find_series, measure_grid, sort_series
from medunet.reading.volume import Source, Volume, choose_series, is_image_file, read_mask, read_volume

__all__ = [
    "Finding",
    "Findings",
    "LabelFile",
    "ReadOptions",
    "Series",
    "Severity",
    "Source",
    "Volume",
    "attempt",
    "check_contours",
    "check_folder",
    "check_image",
    "choose_series",
    "describe_error",
    "find_modality",
    "find_series",
    "is_image_file",
    "listening",
    "make_finding",
    "measure_grid",
    "rasterize",
    "read_contours",
    "read_indices",
    "read_label_file",
    "read_mask",
    "read_segmentation",
    "read_volume",
    "sort_series",
    "unpack_archives",
    "unpack_beside",
]
