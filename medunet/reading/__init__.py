"""Any path to a volume or a mask on its grid, or to one sentence that says why not."""

from medunet.reading.contours import ContourFile, rasterize, read_contour_file, read_contours
from medunet.reading.pictures import read_indices
from medunet.reading.series import Findings, Series, find_series, measure_grid
from medunet.reading.volume import Source, Volume, read_mask, read_volume

__all__ = [
    "ContourFile",
    "Findings",
    "Series",
    "Source",
    "Volume",
    "find_series",
    "measure_grid",
    "rasterize",
    "read_contour_file",
    "read_contours",
    "read_indices",
    "read_mask",
    "read_volume",
]
