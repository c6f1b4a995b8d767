"""Any path to a volume or a mask on its grid, or to one sentence that says why not."""

from medunet.reading.archives import unpack_archives
from medunet.reading.contours import rasterize, read_contours
from medunet.reading.label_files import LabelFile, find_modality, read_label_file
from medunet.reading.options import ReadOptions
from medunet.reading.pictures import read_indices
from medunet.reading.segmentations import read_segmentation
from medunet.reading.series import Findings, Series, find_series, measure_grid, sort_series
from medunet.reading.volume import Source, Volume, choose_series, read_mask, read_volume

__all__ = [
    "Findings",
    "LabelFile",
    "ReadOptions",
    "Series",
    "Source",
    "Volume",
    "choose_series",
    "find_modality",
    "find_series",
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
]
